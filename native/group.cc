// Groups of the system's users, by NSS: getpwnam_r(3), getgrouplist(3), getgrnam_r(3).
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "arguments.h"
#include "async_call.h"
#include "chapters.h"

namespace gssocks {
namespace {

constexpr uint32_t kMaxGroups = 4096;
/// A group's entry holds all of its members' names.
constexpr size_t kMaxEntry = 16 << 20;
/// Linux's NGROUPS_MAX.
constexpr int kMaxMemberships = 65536;

#ifdef __APPLE__
using GroupListId = int;
#else
using GroupListId = gid_t;
#endif

/// One of the calls that fill an entry whose text is in `buffer`. Returns nullptr where there is no such
/// entry.
template <typename Entry, typename Call>
Entry* Find(Call call, const char* what, const std::string& name, Entry* entry, std::vector<char>* buffer) {
  for (;;) {
    Entry* found = nullptr;
    const int code = call(name.c_str(), entry, buffer->data(), buffer->size(), &found);
    if (code == 0) return found;
    if (code == EINTR) continue;
    // That a source of NSS does not answer comes as one of many codes; that nobody has the entry, as none.
    if (code != ERANGE || buffer->size() >= kMaxEntry)
      throw std::runtime_error(std::string(what) + ": " + std::generic_category().message(code));
    buffer->resize(buffer->size() * 2);
  }
}

class MembershipCall : public AsyncCall {
 public:
  MembershipCall(std::string user, std::vector<std::string> groups)
      : user_(std::move(user)), groups_(std::move(groups)) {}

 private:
  void Execute() override {
    std::vector<char> buffer(4096);
    passwd user;
    if (Find(getpwnam_r, "getpwnam_r", user_, &user, &buffer) == nullptr) return;
    const std::vector<GroupListId> memberships = Memberships(user.pw_gid);
    // getgrouplist passes over a source that does not answer. One that does not know the group does answer
    // here.
    for (const std::string& name : groups_) {
      group entry;
      if (Find(getgrnam_r, "getgrnam_r", name, &entry, &buffer) == nullptr) continue;
      const auto id = static_cast<GroupListId>(entry.gr_gid);
      if (std::find(memberships.begin(), memberships.end(), id) != memberships.end()) in_.push_back(name);
    }
  }

  std::vector<GroupListId> Memberships(gid_t primary) const {
    std::vector<GroupListId> list(64);
    for (;;) {
      int count = static_cast<int>(list.size());
      if (getgrouplist(user_.c_str(), static_cast<GroupListId>(primary), list.data(), &count) >= 0) {
        list.resize(static_cast<size_t>(count));
        return list;
      }
      if (list.size() >= kMaxMemberships) throw std::runtime_error("getgrouplist: too many groups");
      list.resize(list.size() * 2);
    }
  }

  Napi::Value Result(Napi::Env env) override {
    auto array = Napi::Array::New(env, in_.size());
    for (uint32_t i = 0; i < in_.size(); i++) array.Set(i, in_[i]);
    return array;
  }

  std::string user_;
  std::vector<std::string> groups_;
  std::vector<std::string> in_;
};

class UserIdCall : public AsyncCall {
 public:
  explicit UserIdCall(std::string name) : name_(std::move(name)) {}

 private:
  void Execute() override {
    std::vector<char> buffer(4096);
    passwd user;
    found_ = Find(getpwnam_r, "getpwnam_r", name_, &user, &buffer) != nullptr;
    if (found_) uid_ = user.pw_uid;
  }

  Napi::Value Result(Napi::Env env) override {
    return found_ ? Napi::Value(Napi::Number::New(env, uid_)) : env.Null();
  }

  std::string name_;
  bool found_ = false;
  uid_t uid_ = 0;
};

Napi::Value UserId(const Napi::CallbackInfo& info) {
  return AsyncCall::Start(info.Env(), std::make_unique<UserIdCall>(StringArgument(info[0], "user")));
}

Napi::Value GroupMembership(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  std::string user = StringArgument(info[0], "user");
  if (!info[1].IsArray())
    throw CodedTypeError(env, "ERR_INVALID_ARG_TYPE", "groups must be an array of strings");
  const auto array = info[1].As<Napi::Array>();
  if (array.Length() > kMaxGroups) throw CodedRangeError(env, "groups has more than 4096 elements");
  std::vector<std::string> groups;
  for (uint32_t i = 0; i < array.Length(); i++) groups.push_back(StringArgument(array[i], "group"));
  return AsyncCall::Start(env, std::make_unique<MembershipCall>(std::move(user), std::move(groups)));
}

}  // namespace

void DefineGroups(Napi::Env, Napi::Object exports) {
  Export<GroupMembership>(exports, "groupMembership");
  Export<UserId>(exports, "userId");
}

}  // namespace gssocks
