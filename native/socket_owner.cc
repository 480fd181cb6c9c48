// Which user of this system is at the other end: of a connection to a Unix socket by SO_PEERCRED (unix(7)),
// of one to TCP and of a UDP socket by the kernel's own table of sockets (sock_diag(7)), which it looks one
// socket up in.
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "arguments.h"
#include "chapters.h"
#include "descriptor.h"

#ifdef __linux__
#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#endif

namespace gssocks {
namespace {

Napi::Value PeerCredentials(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto fd = static_cast<int>(Uint32Argument(info[0], "descriptor", INT32_MAX));
  auto result = Napi::Object::New(env);
#ifdef __linux__
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return env.Null();
  // What is no Unix socket has no peer of that kind.
  if (peer.uid == static_cast<uid_t>(-1)) return env.Null();
  result.Set("uid", static_cast<double>(peer.uid));
  result.Set("pid", static_cast<double>(peer.pid));
#else
  uid_t uid;
  gid_t gid;
  if (getpeereid(fd, &uid, &gid) != 0) return env.Null();
  result.Set("uid", static_cast<double>(uid));
  result.Set("pid", 0);
#endif
  return result;
}

#ifdef __linux__

/// Of include/net/tcp_states.h, which is not for programs.
constexpr uint8_t kListen = 10;

struct Request {
  nlmsghdr header;
  inet_diag_req_v2 body;
};

/// The kernel answers within send(): nothing is waited for.
int Ask(const Request& request, inet_diag_msg* answer) {
  const Descriptor channel(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!channel) return errno;
  if (send(channel.get(), &request, sizeof request, 0) < 0) return errno;
  alignas(nlmsghdr) char buffer[4096];
  const ssize_t length = recv(channel.get(), buffer, sizeof buffer, MSG_DONTWAIT);
  if (length < 0) return errno;
  const auto* header = reinterpret_cast<const nlmsghdr*>(buffer);
  if (!NLMSG_OK(header, static_cast<size_t>(length))) return EPROTO;
  if (header->nlmsg_type == NLMSG_ERROR && header->nlmsg_len >= NLMSG_LENGTH(sizeof(nlmsgerr)))
    return -static_cast<const nlmsgerr*>(NLMSG_DATA(header))->error;
  if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY || header->nlmsg_len < NLMSG_LENGTH(sizeof *answer))
    return EPROTO;
  std::memcpy(answer, NLMSG_DATA(header), sizeof *answer);
  return 0;
}

/// The uid of the process that holds the socket; ENOENT, negative, where none does.
double OwnerOf(uint8_t protocol, const Octets& address, uint16_t port, const Octets& peer,
               uint16_t peer_port) {
  Request request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.body.sdiag_family = address.length == 4 ? AF_INET : AF_INET6;
  request.body.sdiag_protocol = protocol;
  request.body.idiag_states = UINT32_MAX;
  inet_diag_sockid& id = request.body.id;
  // "src and dst are swapped for historical reasons" (net/ipv4/udp_diag.c).
  const bool swapped = protocol == IPPROTO_UDP;
  std::memcpy(swapped ? id.idiag_dst : id.idiag_src, address.data, address.length);
  std::memcpy(swapped ? id.idiag_src : id.idiag_dst, peer.data, peer.length);
  id.idiag_sport = htons(swapped ? peer_port : port);
  id.idiag_dport = htons(swapped ? port : peer_port);
  id.idiag_cookie[0] = id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;

  inet_diag_msg found{};
  if (const int error = Ask(request, &found); error != 0) return -error;
  // Where there is no such connection the kernel names who listens on the port. And what no process holds any
  // more has no inode, and nobody's uid, which is 0.
  const bool other =
      protocol == IPPROTO_TCP && (found.idiag_state == kListen || found.id.idiag_dport != htons(peer_port));
  if (other || found.id.idiag_sport != htons(port) || found.idiag_inode == 0) return -ENOENT;
  return found.idiag_uid;
}

#endif

Napi::Value SocketOwner(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string protocol = StringArgument(info[0], "protocol");
  const Octets address = OctetsArgument(info[1], "address");
  const auto port = static_cast<uint16_t>(Uint32Argument(info[2], "port", UINT16_MAX));
  const Octets peer = OctetsArgument(info[3], "peer");
  const auto peer_port = static_cast<uint16_t>(Uint32Argument(info[4], "peer's port", UINT16_MAX));
  if (protocol != "tcp" && protocol != "udp") throw CodedRangeError(env, "protocol must be tcp or udp");
  if ((address.length != 4 && address.length != 16) || peer.length != address.length)
    throw CodedRangeError(env, "both addresses must have 4 octets, or both 16");
#ifdef __linux__
  const uint8_t number = protocol == "tcp" ? IPPROTO_TCP : IPPROTO_UDP;
  return Napi::Number::New(env, OwnerOf(number, address, port, peer, peer_port));
#else
  return Napi::Number::New(env, -ENOSYS);
#endif
}

}  // namespace

void DefineSocketOwners(Napi::Env, Napi::Object exports) {
  Export<PeerCredentials>(exports, "peerCredentials");
  Export<SocketOwner>(exports, "socketOwner");
}

}  // namespace gssocks
