// A configuration file as anybody may write it: it is taken or refused with file and line, and what
// it set shows as text that sets the same.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "server/server_config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cairn::server;
  ServerConfig config;
  const absl::Status status =
      ApplyConfigText(config, {reinterpret_cast<const char*>(data), size}, "a.yaml");
  if (!status.ok()) {
    CAIRN_CHECK(status.message().find("a.yaml") == 0, "an error names the file");
    return 0;
  }
  ValidateConfig(config).IgnoreError();
  ServerConfig again;
  for (const ConfigKey& key : ConfigKeys()) {
    const std::string shown = key.show(config);
    if (!key.set(again, shown).ok()) continue;  // a default that stands for "none given"
    CAIRN_CHECK(key.show(again) == shown, "a shown value sets itself");
  }
  return 0;
}
