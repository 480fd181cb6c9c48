// AES-CTS (RFC 3962 §5) around AES-CBC, for more than one block: CBC over the octets padded with zeros, with
// the last two blocks swapped and then cut to length. What is between the two steps can be done for many
// messages at once.
#pragma once

#include "ciphers.h"

namespace gssocks {

/// Octets of the text, padded.
constexpr size_t CtsPadded(size_t length) { return (length + kAesBlock - 1) / kAesBlock * kAesBlock; }

/// After CBC: `cipher` holds CtsPadded(length) octets, of which `length` are kept.
void CtsFinish(uint8_t* cipher, size_t length);

/// Before CBC: decrypts the last, perhaps shorter block; returns how many octets before it are ready for CBC.
size_t CtsBegin(CipherKey& key, uint8_t* cipher, size_t length);

}  // namespace gssocks
