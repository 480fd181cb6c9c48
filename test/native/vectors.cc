// The primitives of native/ by themselves: each line of standard input is a call, in hex, each line of output
// its result. Run by vectors.test.ts, which has the RFCs' vectors.
#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <sstream>
#include <vector>

#include "cts.h"
#include "krb5_keys.h"

using namespace gssocks;
using Bytes = std::vector<uint8_t>;

static Bytes Parse(const std::string& hex) {
  Bytes bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<uint8_t>(std::strtol(hex.substr(i, 2).c_str(), nullptr, 16)));
  return bytes;
}

static void Print(const uint8_t* data, size_t length) {
  for (size_t i = 0; i < length; i++) std::printf("%02x", data[i]);
  std::printf("\n");
}

/// `count` copies of the same call side by side, which all have to give the same.
static void Cts(bool encrypt, const Bytes& key, const Bytes& text, size_t count, Lanes* lanes) {
  CipherKey cipher(key.data(), key.size());
  std::vector<Bytes> copies(count, text);
  std::vector<Span> spans;
  for (Bytes& copy : copies) {
    copy.resize(CtsPadded(text.size()));
    const size_t length = encrypt ? copy.size() : CtsBegin(cipher, copy.data(), text.size());
    spans.push_back({copy.data(), length});
  }
  if (encrypt)
    cipher.Encrypt(spans.data(), count, lanes);
  else
    cipher.Decrypt(spans.data(), count, lanes);
  for (Bytes& copy : copies) {
    if (encrypt) CtsFinish(copy.data(), text.size());
    copy.resize(text.size());
    if (copy != copies[0]) std::printf("differs ");
  }
  Print(copies[0].data(), text.size());
}

static void Mac(const Enctype& enctype, const Bytes& key, Bytes text, size_t count, Lanes* lanes) {
  MacKey mac(enctype.hash, enctype.mac_length, key.data(), key.size());
  std::vector<Span> spans(count, Span{text.data(), text.size()});
  std::vector<uint8_t> digests(count * kMaxDigest);
  mac.Compute(spans.data(), count, reinterpret_cast<Digest*>(digests.data()), lanes);
  for (size_t i = 0; i < count; i++) {
    if (std::memcmp(digests.data(), digests.data() + i * kMaxDigest, enctype.mac_length) != 0)
      std::printf("differs ");
  }
  Print(digests.data(), enctype.mac_length);
}

/// Whether a key's octets are anywhere in the memory of objects that held it and are gone.
template <typename Held, typename... Arguments>
static bool Left(const Bytes& key, Arguments&&... arguments) {
  alignas(Held) static uint8_t memory[sizeof(Held)];
  auto* held = new (memory) Held(std::forward<Arguments>(arguments)...);
  const auto here = [&] {
    return std::search(memory, memory + sizeof memory, key.begin(), key.end()) != memory + sizeof memory;
  };
  // Otherwise this looks for nothing.
  if (!here()) return true;
  held->~Held();
  return here();
}

static void Zeroed(const Enctype& enctype, const Bytes& key) {
  const bool left = Left<Secret>(key, key.data(), key.size()) ||
                    Left<CipherKey>(key, key.data(), key.size()) ||
                    Left<MacKey>(key, enctype.hash, enctype.mac_length, key.data(), key.size()) ||
                    Left<UsageKeys>(key, enctype, key.data(), 22u);
  std::printf(left ? "left\n" : "zeroed\n");
}

int main() {
  // Node has it in itself.
  if (dlopen("libcrypto.so.3", RTLD_NOW | RTLD_GLOBAL) == nullptr || OpenSsl::Find() == nullptr) return 1;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string call, key, text;
    uint32_t number = 0;
    size_t count = 0;
    words >> call >> number >> count >> key >> text;
    const Enctype* enctype = Enctype::Find(number);
    if (enctype == nullptr) return 1;
    const Bytes octets = Parse(key);
    // count 0: one, without lanes.
    Lanes* lanes = count == 0 ? nullptr : Lanes::OfThisThread();
    count = std::max<size_t>(count, 1);
    if (call == "derive") {
      Secret derived;
      const Bytes constant = Parse(text);
      DeriveKey(*enctype, Secret(octets.data(), octets.size()), constant[3],
                static_cast<KeyPurpose>(constant[4]), &derived);
      Print(derived.data, derived.length);
    } else if (call == "zero") {
      Zeroed(*enctype, octets);
    } else if (call == "mac") {
      Mac(*enctype, octets, Parse(text), count, lanes);
    } else {
      Cts(call == "encrypt", octets, Parse(text), count, lanes);
    }
  }
  return 0;
}
