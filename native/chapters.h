// What each chapter of RFC 2744, and what is beside it, adds to the addon's exports.
#pragma once

#include <napi.h>

namespace gssocks {

void DefineNames(Napi::Env env, Napi::Object exports);
void DefineCredentials(Napi::Env env, Napi::Object exports);
void DefineContexts(Napi::Env env, Napi::Object exports);
void DefineMessages(Napi::Env env, Napi::Object exports);
void DefineFastMessages(Napi::Env env, Napi::Object exports);
void DefineRates(Napi::Env env, Napi::Object exports);
void DefineRelays(Napi::Env env, Napi::Object exports);
void DefineMechanisms(Napi::Env env, Napi::Object exports);
void DefineDescriptors(Napi::Env env, Napi::Object exports);
void DefineSocketOwners(Napi::Env env, Napi::Object exports);
void DefineHostLookup(Napi::Env env, Napi::Object exports);
void DefineServiceLookup(Napi::Env env, Napi::Object exports);
void DefineCcaches(Napi::Env env, Napi::Object exports);
void DefineUnixDatagrams(Napi::Env env, Napi::Object exports);
void DefineGroups(Napi::Env env, Napi::Object exports);

template <Napi::Value (*Callback)(const Napi::CallbackInfo&)>
void Export(Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New<Callback>(exports.Env(), name));
}

}  // namespace gssocks
