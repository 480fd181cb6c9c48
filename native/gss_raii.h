// Move-only owners of what the GSS-API allocates. Each begins as GSS_C_NO_* and releases exactly once.
#pragma once

#include <utility>

#include "gssapi_headers.h"

namespace gssocks {

/// Owns one GSS-API pointer type; `Release` takes the pointer's address and sees only non-null pointers.
template <typename Pointer, void (*Release)(Pointer*)>
class Owner {
 public:
  Owner() = default;
  Owner(Owner&& other) noexcept : pointer_(std::exchange(other.pointer_, nullptr)) {}
  Owner& operator=(Owner&& other) noexcept {
    if (this != &other) {
      reset();
      pointer_ = std::exchange(other.pointer_, nullptr);
    }
    return *this;
  }
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;
  ~Owner() { reset(); }

  Pointer get() const { return pointer_; }
  /// For the C call's output (or in/out) parameter.
  Pointer* address() { return &pointer_; }
  explicit operator bool() const { return pointer_ != nullptr; }

  void reset() {
    if (pointer_ != nullptr) Release(&pointer_);
    pointer_ = nullptr;
  }

 private:
  Pointer pointer_ = nullptr;
};

inline void ReleaseName(gss_name_t* name) {
  OM_uint32 minor;
  gss_release_name(&minor, name);
}

inline void ReleaseCredential(gss_cred_id_t* credential) {
  OM_uint32 minor;
  gss_release_cred(&minor, credential);
}

/// RFC 1961 §6: no token is made and none is sent.
inline void DeleteContext(gss_ctx_id_t* context) {
  OM_uint32 minor;
  gss_delete_sec_context(&minor, context, GSS_C_NO_BUFFER);
}

inline void ReleaseOidSet(gss_OID_set* set) {
  OM_uint32 minor;
  gss_release_oid_set(&minor, set);
}

using Name = Owner<gss_name_t, ReleaseName>;
using Credential = Owner<gss_cred_id_t, ReleaseCredential>;
using Context = Owner<gss_ctx_id_t, DeleteContext>;
using OwnedOidSet = Owner<gss_OID_set, ReleaseOidSet>;

/// A gss_buffer_desc whose memory the library allocated.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept : buffer_(std::exchange(other.buffer_, gss_buffer_desc{0, nullptr})) {}
  Buffer& operator=(Buffer&&) = delete;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() {
    OM_uint32 minor;
    if (buffer_.value != nullptr) gss_release_buffer(&minor, &buffer_);
  }

  gss_buffer_t address() { return &buffer_; }
  const char* data() const { return static_cast<const char*>(buffer_.value); }
  size_t length() const { return buffer_.value == nullptr ? 0 : buffer_.length; }

 private:
  gss_buffer_desc buffer_{0, nullptr};
};

}  // namespace gssocks
