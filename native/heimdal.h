// What MIT's gssapi_ext.h has and Heimdal 7 lacks. For test builds against Heimdal (docs/decisions,
// "Heimdal").
#pragma once

#include <gssapi/gssapi.h>
#include <gssapi/gssapi_krb5.h>

struct gss_key_value_element_desc {
  const char* key;
  const char* value;
};

struct gss_key_value_set_desc {
  OM_uint32 count;
  gss_key_value_element_desc* elements;
};

using gss_const_key_value_set_t = const gss_key_value_set_desc*;

/// Knows `keytab` (acceptors) and `ccache` (initiators), of krb5 alone; GSS_S_UNAVAILABLE for all else.
OM_uint32 gss_acquire_cred_from(OM_uint32* minor, gss_name_t name, OM_uint32 lifetime, gss_OID_set mechanisms,
                                gss_cred_usage_t usage, gss_const_key_value_set_t store,
                                gss_cred_id_t* credential, gss_OID_set* actual_mechanisms,
                                OM_uint32* actual_lifetime);

/// GSS_S_UNAVAILABLE.
OM_uint32 gss_set_neg_mechs(OM_uint32* minor, gss_cred_id_t credential, gss_OID_set mechanisms);

/// GSS_S_UNAVAILABLE.
OM_uint32 gss_acquire_cred_impersonate_name(OM_uint32* minor, gss_cred_id_t impersonator, gss_name_t name,
                                            OM_uint32 lifetime, gss_OID_set mechanisms,
                                            gss_cred_usage_t usage, gss_cred_id_t* credential,
                                            gss_OID_set* actual_mechanisms, OM_uint32* actual_lifetime);

/// GSS_S_UNAVAILABLE.
OM_uint32 gss_store_cred_into(OM_uint32* minor, gss_cred_id_t credential, gss_cred_usage_t usage,
                              gss_OID mechanism, OM_uint32 overwrite, OM_uint32 as_default,
                              gss_const_key_value_set_t store, gss_OID_set* stored,
                              gss_cred_usage_t* stored_usage);
