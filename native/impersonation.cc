#include "impersonation.h"

#ifndef GSSOCKS_HEIMDAL
extern "C" {
#include <gssapi/gssapi_krb5.h>
}
#endif

#include "gss_raii.h"

namespace gssocks {

#ifdef GSSOCKS_HEIMDAL

/// Heimdal's acceptor gives nothing but what was delegated.
std::optional<Failure> InquireImpersonation(gss_cred_id_t, gss_ctx_id_t, Impersonation*) {
  return std::nullopt;
}

#else

namespace {

void ReleaseBufferSet(gss_buffer_set_t* set) {
  OM_uint32 minor;
  gss_release_buffer_set(&minor, set);
}

}  // namespace

std::optional<Failure> InquireImpersonation(gss_cred_id_t delegated, gss_ctx_id_t context,
                                            Impersonation* impersonation) {
  OM_uint32 minor;
  Owner<gss_buffer_set_t, ReleaseBufferSet> names;
  OM_uint32 major =
      gss_inquire_cred_by_oid(&minor, delegated, GSS_KRB5_GET_CRED_IMPERSONATOR, names.address());
  if (GSS_ERROR(major)) return MakeFailure("gss_inquire_cred_by_oid", major, minor);
  if (!names || names.get()->count == 0) return std::nullopt;
  const gss_buffer_desc& name = names.get()->elements[0];
  impersonation->impersonator.assign(static_cast<const char*>(name.value), name.length);
  krb5_flags flags = 0;
  major = gss_krb5_get_tkt_flags(&minor, context, &flags);
  if (GSS_ERROR(major)) return MakeFailure("gss_krb5_get_tkt_flags", major, minor);
  impersonation->forwardable = (flags & TKT_FLG_FORWARDABLE) != 0;
  return std::nullopt;
}

#endif

}  // namespace gssocks
