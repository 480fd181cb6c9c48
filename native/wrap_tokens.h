// RFC 4121 Wrap tokens, made and opened with the keys of a context instead of by the library, whole frames of
// RFC 1961 §5 at a time.
#pragma once

#include <optional>

#include "krb5_keys.h"
#include "sequence_window.h"

namespace gssocks {

/// One direction's key, as it comes out of a context.
struct ContextKey {
  const Enctype* enctype;
  const uint8_t* data;
};

class WrapTokens {
 public:
  struct Options {
    /// Of the thread that this is used on; null for one message after the other.
    Lanes* lanes;
    bool initiator;
    /// Null enctype: an enctype that we do not know, whose tokens are refused.
    ContextKey key;
    /// RFC 4121 §2: what the acceptor asserted, if it did; used for all that we send.
    std::optional<ContextKey> acceptor_subkey;
    uint64_t send_number;
    SequenceWindow received;
  };

  /// How a call of Open ended.
  struct Opened {
    /// The messages, one behind the other.
    size_t offset = 0;
    size_t length = 0;
    /// Where the first octet is that was not looked at.
    size_t end = 0;
    /// GSS_S_COMPLETE, or what is wrong with the token at `end`.
    OM_uint32 major = GSS_S_COMPLETE;
    /// It was sealed.
    bool conf_state = true;
  };

  explicit WrapTokens(const Options& options);
  WrapTokens(const WrapTokens&) = delete;
  WrapTokens& operator=(const WrapTokens&) = delete;

  /// To be called before the first use on another thread than the one it was made on.
  void MoveToThisThread() {
    if (lanes_ != nullptr) lanes_ = Lanes::OfThisThread();
  }

  /// Octets of memory that Seal needs for a message.
  size_t Room(bool conf, size_t length) const;
  /// Frames of `input`, into at least Room() octets at `output`, apart from it; returns how long they are.
  size_t Seal(bool conf, const uint8_t* input, size_t length, uint8_t* output);
  /// Opens the whole frames of `data` in place, up to the first that is none or is bad.
  Opened Open(bool conf_required, uint8_t* data, size_t length);

  const Enctype& enctype() const { return send_.enctype(); }

 private:
  struct Received;

  void SealBatch(bool conf, uint8_t* const* tokens, const size_t* lengths, size_t count);
  OM_uint32 Parse(uint8_t* token, size_t length, Received* received);
  size_t OpenSealed(Received* batch, size_t count);
  size_t OpenPlain(Received* batch, size_t count);
  void WriteHeader(bool conf, uint16_t extra, uint64_t number, uint8_t* header) const;

  Lanes* lanes_;
  bool initiator_;
  UsageKeys send_;
  /// For tokens without the flag AcceptorSubkey, and with it.
  std::optional<UsageKeys> receive_;
  std::optional<UsageKeys> receive_subkey_;
  bool subkey_;
  uint64_t send_number_;
  SequenceWindow received_;
};

}  // namespace gssocks
