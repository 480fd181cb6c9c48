#include "cts.h"

#include <cstring>

namespace gssocks {

void CtsFinish(uint8_t* cipher, size_t length) {
  uint8_t* last = cipher + CtsPadded(length) - kAesBlock;
  uint8_t* before = last - kAesBlock;
  uint8_t kept[kAesBlock];
  std::memcpy(kept, before, kAesBlock);
  std::memcpy(before, last, kAesBlock);
  std::memcpy(last, kept, length - static_cast<size_t>(last - cipher));
}

size_t CtsBegin(CipherKey& key, uint8_t* cipher, size_t length) {
  const size_t whole = CtsPadded(length) - kAesBlock;
  const size_t rest = length - whole;
  uint8_t* tail = cipher + whole;
  uint8_t* before = tail - kAesBlock;
  uint8_t block[kAesBlock];
  key.DecryptBlock(before, block);
  std::memcpy(before, tail, rest);
  std::memcpy(before + rest, block + rest, kAesBlock - rest);
  for (size_t i = 0; i < rest; i++) tail[i] = static_cast<uint8_t>(tail[i] ^ block[i]);
  OpenSsl::Get().OPENSSL_cleanse(block, sizeof block);
  return whole;
}

}  // namespace gssocks
