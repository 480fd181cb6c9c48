#ifdef GSSOCKS_HEIMDAL
#include <krb5.h>

#include <cstring>
#include <memory>

#include "gssapi_headers.h"

namespace {

struct FreeContext {
  void operator()(krb5_context context) const { krb5_free_context(context); }
};

/// gss_krb5_import_cred takes the names of both, not the handles: they may go when it returns.
OM_uint32 Import(OM_uint32* minor, gss_const_key_value_set_t store, gss_cred_usage_t usage,
                 gss_cred_id_t* credential) {
  const gss_key_value_element_desc& element = store->elements[0];
  const char* key = usage == GSS_C_ACCEPT ? "keytab" : "ccache";
  if (store->count != 1 || usage == GSS_C_BOTH || std::strcmp(element.key, key) != 0)
    return GSS_S_UNAVAILABLE;

  krb5_context made = nullptr;
  *minor = static_cast<OM_uint32>(krb5_init_context(&made));
  if (*minor != 0) return GSS_S_FAILURE;
  const std::unique_ptr<std::remove_pointer_t<krb5_context>, FreeContext> context(made);
  krb5_keytab keytab = nullptr;
  krb5_ccache ccache = nullptr;
  *minor =
      static_cast<OM_uint32>(usage == GSS_C_ACCEPT ? krb5_kt_resolve(context.get(), element.value, &keytab)
                                                   : krb5_cc_resolve(context.get(), element.value, &ccache));
  if (*minor != 0) return GSS_S_FAILURE;
  const OM_uint32 major = gss_krb5_import_cred(minor, ccache, nullptr, keytab, credential);
  if (keytab != nullptr) krb5_kt_close(context.get(), keytab);
  if (ccache != nullptr) krb5_cc_close(context.get(), ccache);
  return major;
}

}  // namespace

OM_uint32 gss_acquire_cred_from(OM_uint32* minor, gss_name_t name, OM_uint32 lifetime, gss_OID_set mechanisms,
                                gss_cred_usage_t usage, gss_const_key_value_set_t store,
                                gss_cred_id_t* credential, gss_OID_set* actual_mechanisms,
                                OM_uint32* actual_lifetime) {
  *minor = 0;
  if (store == nullptr) {
    return gss_acquire_cred(minor, name, lifetime, mechanisms, usage, credential, actual_mechanisms,
                            actual_lifetime);
  }
  if (name != GSS_C_NO_NAME || mechanisms == GSS_C_NO_OID_SET) return GSS_S_UNAVAILABLE;
  for (size_t i = 0; i < mechanisms->count; i++)
    if (!gss_oid_equal(&mechanisms->elements[i], GSS_KRB5_MECHANISM)) return GSS_S_UNAVAILABLE;
  const OM_uint32 major = Import(minor, store, usage, credential);
  if (GSS_ERROR(major)) return major;
  OM_uint32 ignored;
  return gss_inquire_cred(&ignored, *credential, nullptr, actual_lifetime, nullptr, actual_mechanisms);
}

OM_uint32 gss_set_neg_mechs(OM_uint32* minor, gss_cred_id_t, gss_OID_set) {
  *minor = 0;
  return GSS_S_UNAVAILABLE;
}

OM_uint32 gss_acquire_cred_impersonate_name(OM_uint32* minor, gss_cred_id_t, gss_name_t, OM_uint32,
                                            gss_OID_set, gss_cred_usage_t, gss_cred_id_t*, gss_OID_set*,
                                            OM_uint32*) {
  *minor = 0;
  return GSS_S_UNAVAILABLE;
}

OM_uint32 gss_store_cred_into(OM_uint32* minor, gss_cred_id_t, gss_cred_usage_t, gss_OID, OM_uint32,
                              OM_uint32, gss_const_key_value_set_t, gss_OID_set*, gss_cred_usage_t*) {
  *minor = 0;
  return GSS_S_UNAVAILABLE;
}

#endif
