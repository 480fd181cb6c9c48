// Whether a credential that gss_accept_sec_context gave was delegated, or is for S4U2Proxy (MS-SFU §3.1.5.2).
#pragma once

#include <optional>
#include <string>

#include "gss_status.h"

namespace gssocks {

struct Impersonation {
  /// Our own principal, which would act in the initiator's place; empty where the initiator has delegated.
  std::string impersonator;
  /// The initiator's ticket: most KDCs take no other as evidence.
  bool forwardable = false;
};

std::optional<Failure> InquireImpersonation(gss_cred_id_t delegated, gss_ctx_id_t context,
                                            Impersonation* impersonation);

}  // namespace gssocks
