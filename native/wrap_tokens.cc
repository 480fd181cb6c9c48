// The frame (RFC 1961 §5) and the token in it (RFC 4121 §4.2.6.2); EC and RRC are 0 in what we send sealed.
//
//   +----+----+---------+-------+-------+----+----+----+---------+- - - - - - -
//   | 01 | 03 |   len   | 05 04 | flags | ff | EC | RRC | SND_SEQ | body, rotated right by RRC
//   +----+----+---------+-------+-------+----+----+----+---------+- - - - - - -
//
//   sealed, RFC 3962:    AES-CTS(confounder | message | EC octets | header), HMAC of the plain octets
//   sealed, RFC 8009:    AES-CTS(the same), HMAC of a zero IV and the cipher octets
//   integrity alone:     message, HMAC of the message and of the header with EC and RRC 0; EC is its length
//
// CTS (RFC 3962 §5) is CBC over the octets padded with zeros, with the last two blocks swapped and then cut
// to length.
#include "wrap_tokens.h"

#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "cts.h"

namespace gssocks {
namespace {

constexpr size_t kFrameHeader = 4;
constexpr size_t kHeader = 16;
constexpr size_t kConfounder = kAesBlock;
constexpr uint8_t kSentByAcceptor = 0x01;
constexpr uint8_t kSealed = 0x02;
constexpr uint8_t kAcceptorSubkey = 0x04;
/// RFC 4121 §2.
constexpr uint32_t kAcceptorSeal = 22;
constexpr uint32_t kInitiatorSeal = 24;

/// As many tokens side by side as there are lanes in a 64 KiB read; one is cut only where lanes will be
/// filled.
constexpr size_t kPieceInLanes = 4096;
constexpr size_t kPieceAlone = 16384;
constexpr size_t kBatch = Lanes::kMost;
/// What is behind a token while it is made: padding to a block, or a copy of the header.
constexpr size_t kSpill = 16;

/// Octets of each token's message but the last one's: a multiple of the block, so that nothing needs padding.
size_t PieceOf(size_t length, bool lanes) {
  const size_t piece = lanes ? kPieceInLanes : kPieceAlone;
  if (length < 4 * kPieceInLanes) return std::max<size_t>(length, 1);
  const size_t pieces = (length + piece - 1) / piece;
  return CtsPadded((length + pieces - 1) / pieces);
}

/// Unpredictable octets (RFC 3961 §5.3: the confounder), fetched from the kernel for several tokens at once.
void Confounder(uint8_t* octets) {
  // getentropy gives 256 at most.
  thread_local uint8_t kept[256];
  thread_local size_t left = 0;
  if (left == 0) {
    if (getentropy(kept, sizeof kept) != 0) throw std::runtime_error("getentropy failed");
    left = sizeof kept;
  }
  left -= kConfounder;
  std::memcpy(octets, kept + left, kConfounder);
  std::memset(kept + left, 0, kConfounder);
}

void Write16(uint8_t* at, size_t value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}

size_t Read16(const uint8_t* at) { return static_cast<size_t>(at[0] << 8 | at[1]); }

}  // namespace

/// A token that is being opened.
struct WrapTokens::Received {
  uint8_t* token;
  /// Of what is encrypted, or of the message.
  size_t length;
  UsageKeys* keys;
  bool sealed;
  uint8_t header[kHeader];
  uint8_t mac[kMaxDigest];
  /// Where the message is.
  uint8_t* message;
  size_t message_length;
};

WrapTokens::WrapTokens(const Options& options)
    : lanes_(options.lanes),
      initiator_(options.initiator),
      send_(*options.acceptor_subkey.value_or(options.key).enctype,
            options.acceptor_subkey.value_or(options.key).data,
            options.initiator ? kInitiatorSeal : kAcceptorSeal),
      subkey_(options.acceptor_subkey.has_value()),
      send_number_(options.send_number),
      received_(options.received) {
  const uint32_t usage = initiator_ ? kAcceptorSeal : kInitiatorSeal;
  if (options.key.enctype != nullptr) receive_.emplace(*options.key.enctype, options.key.data, usage);
  if (subkey_)
    receive_subkey_.emplace(*options.acceptor_subkey->enctype, options.acceptor_subkey->data, usage);
}

void WrapTokens::WriteHeader(bool conf, uint16_t extra, uint64_t number, uint8_t* header) const {
  header[0] = 0x05;
  header[1] = 0x04;
  header[2] = static_cast<uint8_t>((initiator_ ? 0 : kSentByAcceptor) | (conf ? kSealed : 0) |
                                   (subkey_ ? kAcceptorSubkey : 0));
  header[3] = 0xff;
  Write16(header + 4, extra);
  Write16(header + 6, 0);
  for (int i = 0; i < 8; i++) header[8 + i] = static_cast<uint8_t>(number >> (56 - 8 * i));
}

size_t WrapTokens::Room(bool conf, size_t length) const {
  const size_t piece = PieceOf(length, lanes_ != nullptr);
  const size_t overhead = kFrameHeader + kHeader + (conf ? kConfounder + kHeader : 0) + enctype().mac_length;
  return length + (length + piece - 1) / piece * overhead + kSpill;
}

size_t WrapTokens::Seal(bool conf, const uint8_t* input, size_t length, uint8_t* output) {
  const size_t piece = PieceOf(length, lanes_ != nullptr);
  const size_t lead = kHeader + (conf ? kConfounder : 0);
  const size_t behind = (conf ? kHeader : 0) + enctype().mac_length;
  uint8_t* at = output;
  for (size_t from = 0; from < length;) {
    uint8_t* tokens[kBatch];
    size_t lengths[kBatch];
    size_t count = 0;
    for (; count < kBatch && from < length; count++) {
      const size_t part = std::min(piece, length - from);
      tokens[count] = at + kFrameHeader;
      lengths[count] = part;
      std::memcpy(tokens[count] + lead, input + from, part);
      at = tokens[count] + lead + part + behind;
      from += part;
    }
    SealBatch(conf, tokens, lengths, count);
    // Only now: until then there may be padding of the token before.
    for (size_t i = 0; i < count; i++) {
      uint8_t* frame = tokens[i] - kFrameHeader;
      frame[0] = 0x01;
      frame[1] = 0x03;
      Write16(frame + 2, lead + lengths[i] + behind);
    }
  }
  return static_cast<size_t>(at - output);
}

/// `tokens` have room for what surrounds the messages, which are in place.
void WrapTokens::SealBatch(bool conf, uint8_t* const* tokens, const size_t* lengths, size_t count) {
  const bool over_cipher = enctype().encrypt_then_mac;
  const size_t mac_length = enctype().mac_length;
  Span hashed[kBatch];
  Span encrypted[kBatch];
  Digest digests[kBatch];
  const uint64_t first = send_number_;
  send_number_ += count;
  if (!conf) {
    for (size_t i = 0; i < count; i++) {
      uint8_t* message = tokens[i] + kHeader;
      WriteHeader(false, 0, first + i, message + lengths[i]);
      hashed[i] = {message, lengths[i] + kHeader};
    }
    send_.checksum().Compute(hashed, count, digests, lanes_);
    for (size_t i = 0; i < count; i++) {
      WriteHeader(false, static_cast<uint16_t>(mac_length), first + i, tokens[i]);
      std::memcpy(tokens[i] + kHeader + lengths[i], digests[i], mac_length);
    }
    return;
  }
  for (size_t i = 0; i < count; i++) {
    uint8_t* body = tokens[i] + kHeader;
    const size_t length = kConfounder + lengths[i] + kHeader;
    Confounder(body);
    WriteHeader(true, 0, first + i, body + length - kHeader);
    std::memset(body + length, 0, CtsPadded(length) - length);
    encrypted[i] = {body, CtsPadded(length)};
    hashed[i] = over_cipher ? Span{tokens[i], kHeader + length} : Span{body, length};
  }
  if (!over_cipher) send_.integrity().Compute(hashed, count, digests, lanes_);
  send_.encryption().Encrypt(encrypted, count, lanes_);
  for (size_t i = 0; i < count; i++) {
    CtsFinish(encrypted[i].data, kConfounder + lengths[i] + kHeader);
    // Where the header will be stands the IV for the HMAC.
    if (over_cipher) std::memset(tokens[i], 0, kHeader);
  }
  if (over_cipher) send_.integrity().Compute(hashed, count, digests, lanes_);
  for (size_t i = 0; i < count; i++) {
    WriteHeader(true, 0, first + i, tokens[i]);
    std::memcpy(tokens[i] + kHeader + kConfounder + lengths[i] + kHeader, digests[i], mac_length);
  }
}

/// What can be told before any cryptography.
OM_uint32 WrapTokens::Parse(uint8_t* token, size_t length, Received* received) {
  if (length < kHeader || token[0] != 0x05 || token[1] != 0x04 || token[3] != 0xff)
    return GSS_S_DEFECTIVE_TOKEN;
  if (((token[2] & kSentByAcceptor) != 0) != initiator_) return GSS_S_BAD_SIG;
  // RFC 4121 §4.2.2: an initiator may have sent before it knew of the subkey.
  auto& keys = (token[2] & kAcceptorSubkey) != 0 && subkey_ ? receive_subkey_ : receive_;
  if (!keys) return GSS_S_BAD_SIG;
  const size_t mac_length = keys->enctype().mac_length;
  received->keys = &*keys;
  received->token = token;
  received->sealed = (token[2] & kSealed) != 0;
  std::memcpy(received->header, token, kHeader);
  const size_t body = length - kHeader;
  if (body < mac_length + (received->sealed ? kConfounder + kHeader : 0)) return GSS_S_DEFECTIVE_TOKEN;
  received->length = body - mac_length;
  const size_t extra = Read16(token + 4);
  if (received->sealed ? extra > received->length - kConfounder - kHeader : extra != mac_length)
    return GSS_S_DEFECTIVE_TOKEN;
  // RFC 4121 §4.2.5: of any value.
  const size_t rotation = Read16(token + 6) % body;
  if (rotation != 0) std::rotate(token + kHeader, token + kHeader + rotation, token + length);
  Write16(token + 6, 0);
  std::memcpy(received->mac, token + kHeader + received->length, mac_length);
  received->message = token + (received->sealed ? kHeader + kConfounder : 0);
  received->message_length = received->length - (received->sealed ? kConfounder + kHeader + extra : 0);
  return GSS_S_COMPLETE;
}

/// Returns how many of them are authentic, before one that is not. All of a batch have the same keys.
size_t WrapTokens::OpenSealed(Received* batch, size_t count) {
  UsageKeys& keys = *batch[0].keys;
  const bool over_cipher = keys.enctype().encrypt_then_mac;
  Span spans[kBatch];
  Digest digests[kBatch];
  const auto authentic = [&] {
    for (size_t i = 0; i < count; i++) {
      uint8_t* body = batch[i].token + kHeader;
      if (over_cipher) std::memset(batch[i].token, 0, kHeader);
      spans[i] = over_cipher ? Span{batch[i].token, kHeader + batch[i].length} : Span{body, batch[i].length};
    }
    keys.integrity().Compute(spans, count, digests, lanes_);
    size_t good = 0;
    while (good < count &&
           OpenSsl::Get().CRYPTO_memcmp(digests[good], batch[good].mac, keys.enctype().mac_length) == 0)
      good++;
    return good;
  };
  if (over_cipher) count = authentic();
  for (size_t i = 0; i < count; i++) {
    uint8_t* body = batch[i].token + kHeader;
    spans[i] = {body, CtsBegin(keys.encryption(), body, batch[i].length)};
  }
  if (count > 0) keys.encryption().Decrypt(spans, count, lanes_);
  if (!over_cipher) count = authentic();
  for (size_t i = 0; i < count; i++) {
    // What was encrypted with the message is the header, EC with it; RRC is 0 there, whatever it was outside.
    const uint8_t* copy = batch[i].token + kHeader + batch[i].length - kHeader;
    if (std::memcmp(copy, batch[i].header, 6) != 0 || std::memcmp(copy + 8, batch[i].header + 8, 8) != 0)
      return i;
  }
  return count;
}

size_t WrapTokens::OpenPlain(Received* batch, size_t count) {
  Span spans[kBatch];
  Digest digests[kBatch];
  for (size_t i = 0; i < count; i++) {
    // The message moves to the token's beginning, so that the header fits behind it.
    std::memmove(batch[i].token, batch[i].token + kHeader, batch[i].length);
    uint8_t* copy = batch[i].token + batch[i].length;
    std::memcpy(copy, batch[i].header, kHeader);
    std::memset(copy + 4, 0, 4);
    spans[i] = {batch[i].token, batch[i].length + kHeader};
  }
  MacKey& checksum = batch[0].keys->checksum();
  checksum.Compute(spans, count, digests, lanes_);
  size_t good = 0;
  while (good < count &&
         OpenSsl::Get().CRYPTO_memcmp(digests[good], batch[good].mac, checksum.tag_length()) == 0)
    good++;
  return good;
}

WrapTokens::Opened WrapTokens::Open(bool conf_required, uint8_t* data, size_t length) {
  Opened opened;
  uint8_t* put = nullptr;
  for (bool more = true; more;) {
    Received batch[kBatch];
    size_t count = 0;
    size_t at = opened.end;
    OM_uint32 malformed = GSS_S_COMPLETE;
    for (more = false; at + kFrameHeader <= length && data[at] == 0x01 && data[at + 1] == 0x03; count++) {
      const size_t token = Read16(data + at + 2);
      if (token > length - at - kFrameHeader) break;
      more = count == kBatch;
      if (more) break;
      malformed = Parse(data + at + kFrameHeader, token, &batch[count]);
      if (malformed != GSS_S_COMPLETE) break;
      // A change of key or protection, which honest peers don't make, begins a batch of its own.
      more = batch[count].keys != batch[0].keys || batch[count].sealed != batch[0].sealed;
      if (more) break;
      at += kFrameHeader + token;
    }
    size_t good = 0;
    if (count > 0) good = batch[0].sealed ? OpenSealed(batch, count) : OpenPlain(batch, count);
    for (size_t i = 0; i < good; i++) {
      const Received& received = batch[i];
      uint64_t number = 0;
      for (size_t octet = 8; octet < kHeader; octet++) number = number << 8 | received.header[octet];
      opened.end = static_cast<size_t>(received.token - data) - kFrameHeader;
      opened.major = received_.Check(number);
      opened.conf_state = received.sealed;
      if (opened.major != GSS_S_COMPLETE || (conf_required && !received.sealed)) return opened;
      if (put == nullptr) {
        put = received.message;
        opened.offset = static_cast<size_t>(put - data);
      } else {
        std::memmove(put, received.message, received.message_length);
      }
      put += received.message_length;
      opened.length += received.message_length;
    }
    if (good < count) {
      opened.end = static_cast<size_t>(batch[good].token - data) - kFrameHeader;
      opened.major = GSS_S_BAD_SIG;
      return opened;
    }
    opened.end = at;
    opened.major = malformed;
    if (malformed != GSS_S_COMPLETE) return opened;
  }
  return opened;
}

}  // namespace gssocks
