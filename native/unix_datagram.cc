// Datagrams to a Unix socket, as the system's log takes them: Node's dgram has no such sockets.
//
// Each has a socket of its own, so that nothing is held, and a receiver that was started anew is found again.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "arguments.h"
#include "chapters.h"

namespace gssocks {
namespace {

/// The errno of the call that failed; 0 where the datagram was taken. Does not wait.
int Send(const std::string& path, const Octets& octets) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return ENAMETOOLONG;
  memcpy(address.sun_path, path.data(), path.size());
  // An abstract name, as systemd writes them, ends where its length says (unix(7)).
  const bool abstract = path[0] == '@';
  if (abstract) address.sun_path[0] = '\0';
  const size_t length = abstract ? offsetof(sockaddr_un, sun_path) + path.size() : sizeof(address);

  const int descriptor = socket(AF_UNIX, SOCK_DGRAM, 0);
  if (descriptor < 0) return errno;
  int error = 0;
  if (fcntl(descriptor, F_SETFD, FD_CLOEXEC) < 0 ||
      sendto(descriptor, octets.data, octets.length, MSG_DONTWAIT,
             reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(length)) < 0) {
    error = errno;
  }
  close(descriptor);
  return error;
}

Napi::Value SendUnixDatagram(const Napi::CallbackInfo& info) {
  const std::string path = StringArgument(info[0], "path");
  const Octets octets = OctetsArgument(info[1], "octets");
  return Napi::Number::New(info.Env(), Send(path, octets));
}

}  // namespace

void DefineUnixDatagrams(Napi::Env, Napi::Object exports) {
  Export<SendUnixDatagram>(exports, "sendUnixDatagram");
}

}  // namespace gssocks
