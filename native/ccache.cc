// What the user's ccache holds, by libkrb5: GSS-API tells neither its name nor how long a ticket can be
// renewed.
#include <krb5.h>

#include <algorithm>
#include <memory>

#include "arguments.h"
#include "async_call.h"
#include "chapters.h"

namespace gssocks {
namespace {

struct FreeContext {
  void operator()(krb5_context context) const { krb5_free_context(context); }
};
using Context = std::unique_ptr<std::remove_pointer_t<krb5_context>, FreeContext>;

/// Releases with the context it came from.
template <typename Pointer, auto Release>
class Owned {
 public:
  explicit Owned(krb5_context context) : context_(context) {}
  ~Owned() {
    if (pointer_ != nullptr) Release(context_, pointer_);
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  Pointer get() const { return pointer_; }
  Pointer* address() { return &pointer_; }

 private:
  krb5_context context_;
  Pointer pointer_ = nullptr;
};

using Ccache = Owned<krb5_ccache, krb5_cc_close>;
using Principal = Owned<krb5_principal, krb5_free_principal>;

void FreeString(krb5_context context, char* text) {
#ifdef GSSOCKS_HEIMDAL
  (void)context;
  free(text);
#else
  krb5_free_string(context, text);
#endif
}
using Text = Owned<char*, FreeString>;

void FreeName(krb5_context context, char* text) {
#ifdef GSSOCKS_HEIMDAL
  (void)context;
  free(text);
#else
  krb5_free_unparsed_name(context, text);
#endif
}
using NameText = Owned<char*, FreeName>;

std::string RealmOf(krb5_context context, krb5_principal principal) {
#ifdef GSSOCKS_HEIMDAL
  return krb5_principal_get_realm(context, principal);
#else
  (void)context;
  return std::string(principal->realm.data, principal->realm.length);
#endif
}

/// Seconds since 1970. libkrb5 counts them in 32 bits, the highest of which is no sign.
uint32_t Seconds(int64_t timestamp) { return static_cast<uint32_t>(timestamp); }

class InspectCcacheCall : public AsyncCall {
 public:
  InspectCcacheCall(std::string ccache, std::string principal)
      : wanted_ccache_(std::move(ccache)), wanted_principal_(std::move(principal)) {}

 private:
  void Execute() override {
    krb5_context made = nullptr;
    krb5_error_code error = krb5_init_context(&made);
    if (error != 0) return FailWith(nullptr, "krb5_init_context", error);
    const Context context(made);
    Ccache ccache(made);
    if (!Find(made, &ccache)) return;
    Text name(made);
    if ((error = krb5_cc_get_full_name(made, ccache.get(), name.address())) != 0)
      return FailWith(made, "krb5_cc_get_full_name", error);
    name_ = name.get();
    Principal client(made);
    if ((error = krb5_cc_get_principal(made, ccache.get(), client.address())) != 0)
      return FailWith(made, "krb5_cc_get_principal", error);
    NameText client_name(made);
    if ((error = krb5_unparse_name(made, client.get(), client_name.address())) != 0)
      return FailWith(made, "krb5_unparse_name", error);
    client_ = client_name.get();
    Read(made, ccache.get(), client.get());
  }

  /// The one that is named, the principal's of the collection, or the default.
  bool Find(krb5_context context, Ccache* ccache) {
    if (!wanted_ccache_.empty())
      return Check(context, "krb5_cc_resolve",
                   krb5_cc_resolve(context, wanted_ccache_.c_str(), ccache->address()));
    if (wanted_principal_.empty())
      return Check(context, "krb5_cc_default", krb5_cc_default(context, ccache->address()));
    Principal principal(context);
    return Check(context, "krb5_parse_name",
                 krb5_parse_name(context, wanted_principal_.c_str(), principal.address())) &&
           Check(context, "krb5_cc_cache_match",
                 krb5_cc_cache_match(context, principal.get(), ccache->address()));
  }

  /// The client's ticket-granting ticket of its own realm; where there is none, the ticket that lasts
  /// longest.
  void Read(krb5_context context, krb5_ccache ccache, krb5_principal client) {
    const std::string realm = RealmOf(context, client);
    const auto length = static_cast<unsigned int>(realm.size());
    Principal granting(context);
    krb5_error_code error = krb5_build_principal_ext(context, granting.address(), length, realm.data(), 6u,
                                                     "krbtgt", length, realm.data(), 0);
    if (error != 0) return FailWith(context, "krb5_build_principal_ext", error);
    krb5_cc_cursor cursor;
    if ((error = krb5_cc_start_seq_get(context, ccache, &cursor)) != 0)
      return FailWith(context, "krb5_cc_start_seq_get", error);
    bool granted = false;
    krb5_creds ticket{};
    while (krb5_cc_next_cred(context, ccache, &cursor, &ticket) == 0) {
      // What else is kept there (a realm's name X-CACHECONF:) ends at 0.
      const bool grants = krb5_principal_compare(context, ticket.server, granting.get()) != 0;
      const uint32_t end = Seconds(ticket.times.endtime);
      if (grants > granted || (grants == granted && end > end_)) {
        granted = grants;
        end_ = end;
        renewable_until_ = Seconds(ticket.times.renew_till);
      }
      krb5_free_cred_contents(context, &ticket);
    }
    krb5_cc_end_seq_get(context, ccache, &cursor);
  }

  bool Check(krb5_context context, const char* call, krb5_error_code error) {
    if (error != 0) FailWith(context, call, error);
    return error == 0;
  }

  /// As GSS-API would have told it.
  void FailWith(krb5_context context, const char* call, krb5_error_code error) {
    Failure failure = MakeFailure(call, GSS_S_NO_CRED, 0);
    failure.minor = static_cast<OM_uint32>(error);
    const char* text = krb5_get_error_message(context, error);
    failure.minor_text = text;
    krb5_free_error_message(context, text);
    Fail(std::move(failure));
  }

  Napi::Value Result(Napi::Env env) override {
    auto result = Napi::Object::New(env);
    result.Set("ccache", name_);
    result.Set("principal", client_);
    result.Set("endTime", end_);
    result.Set("renewableUntil", renewable_until_);
    return result;
  }

  const std::string wanted_ccache_;
  const std::string wanted_principal_;
  std::string name_;
  std::string client_;
  uint32_t end_ = 0;
  uint32_t renewable_until_ = 0;
};

std::string OptionalString(const Napi::Value& value, const char* what) {
  return IsAbsent(value) ? std::string() : StringArgument(value, what);
}

Napi::Value InspectCcache(const Napi::CallbackInfo& info) {
  return AsyncCall::Start(info.Env(),
                          std::make_unique<InspectCcacheCall>(OptionalString(info[0], "ccache"),
                                                              OptionalString(info[1], "principal")));
}

}  // namespace

void DefineCcaches(Napi::Env, Napi::Object exports) { Export<InspectCcache>(exports, "inspectCcache"); }

}  // namespace gssocks
