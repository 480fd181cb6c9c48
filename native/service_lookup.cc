// SRV records (RFC 2782) by the system's resolver, each look-up on a thread of its own. Node's own resolver
// does not tell how long they hold.
#include <arpa/nameser.h>
#include <napi.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "arguments.h"
#include "chapters.h"
#include "detached_call.h"

namespace gssocks {

namespace {

/// The longest answer there is.
constexpr int kMaxAnswer = 65535;
constexpr size_t kMaxRecords = 64;

const char* ErrorName(int status) {
  switch (status) {
    case HOST_NOT_FOUND:
      return "HOST_NOT_FOUND";
    case NO_DATA:
      return "NO_DATA";
    case TRY_AGAIN:
      return "TRY_AGAIN";
    default:
      return "NO_RECOVERY";
  }
}

struct Service {
  uint32_t priority;
  uint32_t weight;
  uint32_t port;
  std::string target;
};

class ServiceLookup : public DetachedCall {
 public:
  explicit ServiceLookup(std::string name) : name_(std::move(name)) {}

 private:
  void Execute() override {
    std::vector<uint8_t> answer(kMaxAnswer);
    const int length = res_query(name_.c_str(), ns_c_in, ns_t_srv, answer.data(), kMaxAnswer);
    if (length < 0) return Fail(ErrorName(h_errno), hstrerror(h_errno));
    ns_msg message;
    if (ns_initparse(answer.data(), std::min(length, kMaxAnswer), &message) != 0) return Malformed();
    const int records = ns_msg_count(message, ns_s_an);
    for (int i = 0; i < records; i++) {
      ns_rr record;
      if (ns_parserr(&message, ns_s_an, i, &record) != 0) return Malformed();
      // Aliases on the way hold as long as they say, too.
      ttl_ = std::min(ttl_, static_cast<uint32_t>(ns_rr_ttl(record)));
      if (ns_rr_type(record) != ns_t_srv || ns_rr_class(record) != ns_c_in) continue;
      if (services_.size() == kMaxRecords) return;
      if (!Take(message, record)) return Malformed();
    }
    if (services_.empty()) Fail("NO_DATA", "no SRV record in the answer");
  }

  /// Priority, weight and port of two octets each, and a name.
  bool Take(const ns_msg& message, const ns_rr& record) {
    constexpr int kFixed = 6;
    if (ns_rr_rdlen(record) <= kFixed) return false;
    const uint8_t* data = ns_rr_rdata(record);
    const auto number = [data](int at) { return static_cast<uint32_t>(data[at] << 8 | data[at + 1]); };
    char target[NS_MAXDNAME];
    if (dn_expand(ns_msg_base(message), ns_msg_end(message), data + kFixed, target, sizeof target) < 0)
      return false;
    services_.push_back({number(0), number(2), number(4), target});
    return true;
  }

  void Malformed() { Fail("NO_RECOVERY", "the DNS server's answer is malformed"); }

  Napi::Value Result(Napi::Env env) override {
    auto services = Napi::Array::New(env, services_.size());
    for (uint32_t i = 0; i < services_.size(); i++) {
      auto service = Napi::Object::New(env);
      service.Set("priority", services_[i].priority);
      service.Set("weight", services_[i].weight);
      service.Set("port", services_[i].port);
      service.Set("target", services_[i].target);
      services.Set(i, service);
    }
    auto result = Napi::Object::New(env);
    result.Set("services", services);
    result.Set("ttl", ttl_);
    return result;
  }

  const std::string name_;
  std::vector<Service> services_;
  uint32_t ttl_ = INT32_MAX;
};

Napi::Value LookUpServices(const Napi::CallbackInfo& info) {
  return std::make_shared<ServiceLookup>(StringArgument(info[0], "name"))->Start(info.Env());
}

}  // namespace

void DefineServiceLookup(Napi::Env, Napi::Object exports) {
  Export<LookUpServices>(exports, "lookUpServices");
}

}  // namespace gssocks
