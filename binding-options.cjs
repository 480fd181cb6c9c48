// Read by pkg-prebuilds, both when it verifies a prebuilt addon and when it loads one.
module.exports = { name: "gssocks", napi_versions: [8] };
