// Descriptors: what a process needs to hold a listening socket that others accept on, for Node polls every
// one it knows.
#include <fcntl.h>

#include <cerrno>
#include <system_error>

#include "arguments.h"
#include "chapters.h"

namespace gssocks {
namespace {

Napi::Value DuplicateDescriptor(const Napi::CallbackInfo& info) {
  const auto descriptor = static_cast<int>(Uint32Argument(info[0], "descriptor", INT32_MAX));
  const int duplicate = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
  if (duplicate < 0) throw Napi::Error::New(info.Env(), std::generic_category().message(errno));
  return Napi::Number::New(info.Env(), duplicate);
}

}  // namespace

void DefineDescriptors(Napi::Env, Napi::Object exports) {
  Export<DuplicateDescriptor>(exports, "duplicateDescriptor");
}

}  // namespace gssocks
