/* A source of NSS that does not answer, as a directory that is down: nsswitch.conf's word for it is "down". */
#include <errno.h>
#include <grp.h>
#include <nss.h>
#include <pwd.h>

static enum nss_status down(int *error) {
  *error = ECONNREFUSED;
  return NSS_STATUS_UNAVAIL;
}

enum nss_status _nss_down_getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size,
                                     int *error) {
  (void)name, (void)entry, (void)buffer, (void)size;
  return down(error);
}

enum nss_status _nss_down_getgrnam_r(const char *name, struct group *entry, char *buffer, size_t size,
                                     int *error) {
  (void)name, (void)entry, (void)buffer, (void)size;
  return down(error);
}
