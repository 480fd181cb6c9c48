#include "initiator.h"

#include <krb5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static gss_name_t target;
static gss_cred_id_t credential;

void check_gss(const char *call, OM_uint32 major, OM_uint32 minor) {
  if (!GSS_ERROR(major)) return;
  OM_uint32 ignored, more = 0;
  gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
  gss_display_status(&ignored, minor, GSS_C_MECH_CODE, GSS_C_NO_OID, &more, &text);
  die("%s: %08x %.*s", call, major, (int)text.length, (char *)text.value);
}

static void check_krb5(const char *call, krb5_error_code code) {
  if (code != 0) die("%s: %d", call, (int)code);
}

static void cache_in_memory(void) {
  krb5_context context;
  krb5_ccache file, memory;
  krb5_principal client;
  check_krb5("krb5_init_context", krb5_init_context(&context));
  check_krb5("krb5_cc_default", krb5_cc_default(context, &file));
  check_krb5("krb5_cc_get_principal", krb5_cc_get_principal(context, file, &client));
  check_krb5("krb5_cc_resolve", krb5_cc_resolve(context, "MEMORY:bench", &memory));
  check_krb5("krb5_cc_initialize", krb5_cc_initialize(context, memory, client));
  check_krb5("krb5_cc_copy_creds", krb5_cc_copy_creds(context, file, memory));
  krb5_free_principal(context, client);
  krb5_cc_close(context, file);
  krb5_cc_close(context, memory);
  krb5_free_context(context);
  setenv("KRB5CCNAME", "MEMORY:bench", 1);
}

void prepare_initiators(const char *acceptor) {
  cache_in_memory();
  OM_uint32 minor;
  char text[300];
  snprintf(text, sizeof text, "rcmd@%s", acceptor);
  gss_buffer_desc name = {strlen(text), text};
  OM_uint32 major = gss_import_name(&minor, &name, GSS_C_NT_HOSTBASED_SERVICE, &target);
  check_gss("gss_import_name", major, minor);
  major = gss_acquire_cred(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, GSS_C_NO_OID_SET, GSS_C_INITIATE,
                           &credential, NULL, NULL);
  check_gss("gss_acquire_cred", major, minor);
}

static OM_uint32 step(struct initiator *initiator, gss_buffer_t input) {
  OM_uint32 minor, flags = GSS_C_MUTUAL_FLAG | GSS_C_REPLAY_FLAG | GSS_C_SEQUENCE_FLAG | GSS_C_CONF_FLAG |
                           GSS_C_INTEG_FLAG;
  OM_uint32 major =
      gss_init_sec_context(&minor, credential, &initiator->context, target, GSS_C_NO_OID, flags, 0,
                           GSS_C_NO_CHANNEL_BINDINGS, input, NULL, &initiator->token, NULL, NULL);
  check_gss("gss_init_sec_context", major, minor);
  return major;
}

struct initiator begin_initiator(void) {
  struct initiator initiator = {GSS_C_NO_CONTEXT, GSS_C_EMPTY_BUFFER};
  if (step(&initiator, GSS_C_NO_BUFFER) != GSS_S_CONTINUE_NEEDED) die("no mutual authentication");
  return initiator;
}

void end_initiator(struct initiator *initiator, gss_buffer_t token) {
  OM_uint32 minor;
  gss_release_buffer(&minor, &initiator->token);
  if (step(initiator, token) != GSS_S_COMPLETE || initiator->token.length > 0)
    die("more tokens than Kerberos has");
}

size_t largest_message(gss_ctx_id_t context, bool confidential) {
  OM_uint32 minor, size;
  OM_uint32 major = gss_wrap_size_limit(&minor, context, confidential, GSS_C_QOP_DEFAULT, 65535, &size);
  check_gss("gss_wrap_size_limit", major, minor);
  return size;
}

size_t wrap_to(gss_ctx_id_t context, bool confidential, const void *message, size_t size, uint8_t *output) {
  OM_uint32 minor;
  gss_buffer_desc input = {size, (void *)message}, token = GSS_C_EMPTY_BUFFER;
  OM_uint32 major = gss_wrap(&minor, context, confidential, GSS_C_QOP_DEFAULT, &input, NULL, &token);
  check_gss("gss_wrap", major, minor);
  size_t length = token.length;
  if (length > 65535) die("a token of %zu octets", length);
  memcpy(output, token.value, length);
  gss_release_buffer(&minor, &token);
  return length;
}

gss_buffer_desc unwrap(gss_ctx_id_t context, bool confidential, const void *token, size_t size) {
  OM_uint32 minor;
  int conf_state = 0;
  gss_buffer_desc input = {size, (void *)token}, message = GSS_C_EMPTY_BUFFER;
  OM_uint32 major = gss_unwrap(&minor, context, &input, &message, &conf_state, NULL);
  check_gss("gss_unwrap", major, minor);
  if (confidential && !conf_state) die("a token that is not confidential");
  return message;
}
