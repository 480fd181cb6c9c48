// Descriptors: what a process needs to hold a listening socket that others accept on, for Node polls every
// one it knows; and what Node does not tell of a connection's end.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

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

/// Null, or the errno of a connection of which Node says that it has ended: libuv takes a reset that it finds
/// together with the last octets for an end.
Napi::Value EndError(const Napi::CallbackInfo& info) {
  const auto fd = static_cast<int>(Uint32Argument(info[0], "descriptor", INT32_MAX));
  uint8_t octet;
  const bool failed =
      recv(fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno != EAGAIN && errno != ENOTSOCK;
  if (!failed) return info.Env().Null();
  return Napi::Number::New(info.Env(), errno);
}

/// Null while the other end could still hear us, though it may have ended what it sends; else the errno of
/// what broke the connection, 0 where nothing did and it was closed. Linux alone says so at once.
Napi::Value HangUp(const Napi::CallbackInfo& info) {
#ifdef __linux__
  const auto fd = static_cast<int>(Uint32Argument(info[0], "descriptor", INT32_MAX));
  // Both are told whether they are asked for or not.
  pollfd polled{fd, 0, 0};
  if (poll(&polled, 1, 0) == 1 && (polled.revents & (POLLHUP | POLLERR)) != 0) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    return Napi::Number::New(info.Env(), error);
  }
#endif
  return info.Env().Null();
}

/// SO_LINGER 0, or off: whether the kernel resets the connection when it is closed, by the end of this
/// process too.
Napi::Value SetAbortive(const Napi::CallbackInfo& info) {
  const auto fd = static_cast<int>(Uint32Argument(info[0], "descriptor", INT32_MAX));
  const linger wanted{BooleanArgument(info[1], "abortive") ? 1 : 0, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &wanted, sizeof wanted);
  return info.Env().Undefined();
}

}  // namespace

void DefineDescriptors(Napi::Env, Napi::Object exports) {
  Export<DuplicateDescriptor>(exports, "duplicateDescriptor");
  Export<EndError>(exports, "endError");
  Export<HangUp>(exports, "hangUp");
  Export<SetAbortive>(exports, "setAbortive");
}

}  // namespace gssocks
