// Which sequence numbers of one direction were seen: what RFC 2743 §1.2.3 asks of a mechanism, as MIT's does
// it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "gssapi_headers.h"

namespace gssocks {

/// Numbers of the tokens that the library took, in order; kept so that a window can go on from there.
class SequenceHistory {
 public:
  /// After so many, nothing is kept any more.
  static constexpr size_t kMost = 64;

  /// SND_SEQ of a token (RFC 4121 §4.2.6: TOK_ID 04 04 or 05 04), to be read before MIT works in it; none for
  /// others.
  static std::optional<uint64_t> NumberOf(const uint8_t* token, size_t length) {
    if (length < 16 || (token[0] != 4 && token[0] != 5) || token[1] != 4) return std::nullopt;
    uint64_t number = 0;
    for (size_t i = 8; i < 16; i++) number = number << 8 | token[i];
    return number;
  }

  /// A token with this number was taken.
  void Add(std::optional<uint64_t> number) {
    if (!whole_) return;
    whole_ = numbers_.size() < kMost && number.has_value();
    if (whole_)
      numbers_.push_back(*number);
    else
      numbers_ = {};
  }

  /// Whether these are all.
  bool whole() const { return whole_; }
  const std::vector<uint64_t>& numbers() const { return numbers_; }

 private:
  bool whole_ = true;
  std::vector<uint64_t> numbers_;
};

class SequenceWindow {
 public:
  /// `base` is the first number expected; `flags` those of the context.
  SequenceWindow(uint64_t base, OM_uint32 flags, const SequenceHistory& history)
      : replay_((flags & GSS_C_REPLAY_FLAG) != 0),
        sequence_((flags & GSS_C_SEQUENCE_FLAG) != 0),
        base_(base) {
    for (const uint64_t number : history.numbers()) Check(number);
  }

  /// GSS_S_COMPLETE, or the supplementary bit of a token that is authentic and has this number.
  OM_uint32 Check(uint64_t number) {
    if (!replay_ && !sequence_) return GSS_S_COMPLETE;
    const uint64_t relative = number - base_;
    if (relative >= next_) {
      const uint64_t skipped = relative - next_;
      seen_ = skipped >= 63 ? 1 : seen_ << (skipped + 1) | 1;
      next_ = relative + 1;
      return skipped > 0 && sequence_ ? GSS_S_GAP_TOKEN : GSS_S_COMPLETE;
    }
    const uint64_t back = next_ - relative;
    if (back > 64) return sequence_ ? GSS_S_UNSEQ_TOKEN : GSS_S_OLD_TOKEN;
    const uint64_t bit = uint64_t{1} << (back - 1);
    if (replay_ && (seen_ & bit) != 0) return GSS_S_DUPLICATE_TOKEN;
    seen_ |= bit;
    return sequence_ ? GSS_S_UNSEQ_TOKEN : GSS_S_COMPLETE;
  }

 private:
  bool replay_;
  bool sequence_;
  uint64_t base_;
  uint64_t next_ = 0;
  /// Bit i: the number next_ - 1 - i was seen.
  uint64_t seen_ = 0;
};

}  // namespace gssocks
