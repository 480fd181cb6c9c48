// getaddrinfo(3), each call on a thread of its own.
#include <arpa/inet.h>
#include <napi.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "arguments.h"
#include "chapters.h"
#include "detached_call.h"

namespace gssocks {

namespace {

const char* ErrorName(int status) {
  switch (status) {
    case EAI_NONAME:
      return "EAI_NONAME";
#ifdef EAI_NODATA
    case EAI_NODATA:
      return "EAI_NODATA";
#endif
    case EAI_AGAIN:
      return "EAI_AGAIN";
    case EAI_FAIL:
      return "EAI_FAIL";
    case EAI_MEMORY:
      return "EAI_MEMORY";
    case EAI_SYSTEM:
      return "EAI_SYSTEM";
    default:
      return "EAI_OTHER";
  }
}

class HostLookup : public DetachedCall {
 public:
  explicit HostLookup(std::string name) : name_(std::move(name)) {}

 private:
  void Execute() override {
    addrinfo hints{};
    // One entry an address, not one for each kind of socket.
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int status = getaddrinfo(name_.c_str(), nullptr, &hints, &found);
    if (status != 0)
      return Fail(ErrorName(status), status == EAI_SYSTEM ? strerror(errno) : gai_strerror(status));
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
    for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
      char text[INET6_ADDRSTRLEN];
      const void* address = nullptr;
      if (each->ai_family == AF_INET) address = &reinterpret_cast<sockaddr_in*>(each->ai_addr)->sin_addr;
      if (each->ai_family == AF_INET6) address = &reinterpret_cast<sockaddr_in6*>(each->ai_addr)->sin6_addr;
      if (address != nullptr && inet_ntop(each->ai_family, address, text, sizeof text) != nullptr)
        addresses_.emplace_back(text);
    }
  }

  Napi::Value Result(Napi::Env env) override {
    auto addresses = Napi::Array::New(env, addresses_.size());
    for (uint32_t i = 0; i < addresses_.size(); i++) addresses.Set(i, addresses_[i]);
    return addresses;
  }

  const std::string name_;
  std::vector<std::string> addresses_;
};

Napi::Value LookUpHost(const Napi::CallbackInfo& info) {
  return std::make_shared<HostLookup>(StringArgument(info[0], "name"))->Start(info.Env());
}

}  // namespace

void DefineHostLookup(Napi::Env, Napi::Object exports) { Export<LookUpHost>(exports, "lookUpHost"); }

}  // namespace gssocks
