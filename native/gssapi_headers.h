// MIT's headers. gssapi.h closes its extern "C" before the RFC 5801 functions, so we open one around it.
#pragma once

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef GSSOCKS_HEIMDAL
#include "heimdal.h"
#else
extern "C" {
#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
}
#endif
