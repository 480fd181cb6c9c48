// Loading: once per environment (the main thread, each worker), with no state that environments share.
//
// Teardown: Node waits for pending calls, then finalizes the handles, each of which releases its own GSS-API
// object and looks at nothing else; in what order the instance data goes among them is of no matter.
#include <napi.h>

#include "chapters.h"
#include "handle.h"

namespace gssocks {

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  auto* data = new AddonData();
  env.SetInstanceData(data);
  data->name = NameHandle::Define(env);
  data->credential = CredentialHandle::Define(env);
  data->context = ContextHandle::Define(env);
  data->fast_context = FastContextHandle::Define(env);
  data->rate = RateHandle::Define(env);

  DefineNames(env, exports);
  DefineCredentials(env, exports);
  DefineContexts(env, exports);
  DefineMessages(env, exports);
  DefineFastMessages(env, exports);
  DefineRates(env, exports);
  DefineRelays(env, exports);
  DefineMechanisms(env, exports);
  DefineDescriptors(env, exports);
  DefineSocketOwners(env, exports);
  DefineHostLookup(env, exports);
  DefineServiceLookup(env, exports);
  DefineCcaches(env, exports);
  DefineUnixDatagrams(env, exports);
  DefineGroups(env, exports);
  return exports;
}

}  // namespace gssocks

static Napi::Object Init(Napi::Env env, Napi::Object exports) { return gssocks::Init(env, exports); }

NODE_API_MODULE(gssocks, Init)
