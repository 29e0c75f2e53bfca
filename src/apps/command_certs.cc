// cairn certs init|issue|revoke: a certificate authority for development, in a directory.

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "apps/certificate_files.h"
#include "apps/command.h"
#include "env/posix.h"

namespace cairn::apps {
namespace {

using Json = nlohmann::ordered_json;

struct Flags {
  std::string directory = "certs";
  std::string name;
  bool node = false;
  std::vector<std::string> hosts;
  std::vector<std::string> revoked;
  int64_t days = 0;
  OutputFormat output = OutputFormat::kText;
};

void Print(const std::vector<std::string>& files, OutputFormat output) {
  if (output == OutputFormat::kJson) {
    std::cout << Json{{"files", files}}.dump(-1, ' ', false, Json::error_handler_t::replace)
              << '\n';
    return;
  }
  for (const std::string& file : files) std::cout << file << '\n';
}

CertificateDirectory::Files Issue(CertificateDirectory& directory, const Flags& flags) {
  security::CertificateRequest request = {.common_name = flags.name, .server = flags.node};
  if (flags.node) {
    request.hosts = flags.hosts.empty() ? std::vector<std::string>{"localhost", "127.0.0.1", "::1"}
                                        : flags.hosts;
  }
  return directory.Issue(std::move(request), flags.days);
}

// Adds one subcommand whose work is `work(directory, flags)`.
template <typename Work>
CLI::App* AddSubcommand(CLI::App& parent, Chosen& chosen, const char* name, const char* what,
                        const std::shared_ptr<Flags>& flags, int64_t days, Work work) {
  CLI::App* command = parent.add_subcommand(name, what);
  flags->days = days;
  command->add_option("--dir", flags->directory, "Where the authority and its certificates are")
      ->type_name("DIR")
      ->capture_default_str();
  constexpr int64_t kCentury = 36'500;
  command->add_option("--days", flags->days, "How long what is made is valid")
      ->type_name("DAYS")
      ->check(CLI::Range(int64_t{1}, kCentury))
      ->capture_default_str();
  AddOutputFlag(*command, flags->output);
  OnChosen(*command, chosen, flags->output, [&chosen, flags, work] {
    const auto fs = env::NewPosixFileSystem();
    CertificateDirectory directory(*fs, flags->directory, env::SystemClock().WallMs() / 1000);
    const CertificateDirectory::Files files = work(directory, *flags);
    if (!files.ok()) return Fail(chosen, files.status());
    Print(*files, flags->output);
    return kDone;
  });
  return command;
}

void AddInit(CLI::App& certs, Chosen& chosen) {
  auto flags = std::make_shared<Flags>();
  flags->name = "cairn development CA";
  AddSubcommand(certs, chosen, "init", "Make an authority: ca.pem and ca-key.pem", flags, 3650,
                [](CertificateDirectory& directory, const Flags& given) {
                  return directory.Init(given.name, given.days);
                })
      ->add_option("--name", flags->name, "The name of the authority")
      ->type_name("NAME")
      ->capture_default_str();
}

void AddIssue(CLI::App& certs, Chosen& chosen) {
  auto flags = std::make_shared<Flags>();
  CLI::App* issue = AddSubcommand(
      certs, chosen, "issue",
      "Issue a certificate, of a client or with --node of a node: NAME.pem and NAME-key.pem", flags,
      365, Issue);
  issue
      ->add_option("NAME", flags->name,
                   "The common name: the subject of authorisation; names the files too")
      ->required();
  CLI::Option* node = issue->add_flag("--node", flags->node,
                                      "For a node, which is server and client; else for a client");
  issue
      ->add_option("--host", flags->hosts,
                   "A host name or IP address under which the node is reached; may come several "
                   "times. Without: localhost, 127.0.0.1 and ::1")
      ->type_name("HOST")
      ->allow_extra_args(false)
      ->needs(node);
}

void AddRevoke(CLI::App& certs, Chosen& chosen) {
  auto flags = std::make_shared<Flags>();
  AddSubcommand(certs, chosen, "revoke",
                "Take certificates back: ca-crl.pem, with what revoked.txt holds already; without "
                "a NAME only make the list anew, before it expires",
                flags, 30,
                [](CertificateDirectory& directory, const Flags& given) {
                  return directory.Revoke(given.revoked, given.days);
                })
      ->add_option("NAME", flags->revoked, "What NAME.pem in the directory is for, or a file");
}

}  // namespace

void AddCertsCommand(CLI::App& app, Chosen& chosen) {
  CLI::App* certs =
      app.add_subcommand("certs", "Make certificates for development, without a server");
  certs->require_subcommand(1);
  AddInit(*certs, chosen);
  AddIssue(*certs, chosen);
  AddRevoke(*certs, chosen);
}

}  // namespace cairn::apps
