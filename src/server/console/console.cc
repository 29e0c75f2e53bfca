#include "server/console/console.h"

#include <utility>

#include "base/check.h"
#include "base/strings.h"
#include "server/console/json_answer.h"
#include "server/console/page_files.h"

namespace cairn::server {
namespace {

constexpr std::string_view kIndex = "index.html";

std::string TypeOf(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".svg")) return "image/svg+xml";
  CAIRN_CHECK(name.ends_with(".js"), "a file of the page has a type");
  return "text/javascript; charset=utf-8";
}

// A newer program has other files under the same names: a browser asks again.
http::Response Answer(const PageFile& file) {
  http::Response response{.content_type = TypeOf(file.name),
                          .body = std::string(file.content),
                          .headers = ConsoleHeaders()};
  response.headers.emplace_back("Cache-Control", "no-cache");
  return response;
}

}  // namespace

Console::Console(Options options)
    : guard_(options.guard), own_hosts_(std::move(options.own_hosts)) {
  const OwnHosts* own_hosts = own_hosts_ ? &*own_hosts_ : nullptr;
  status_ = std::make_shared<StatusEndpoint>(
      StatusEndpoint::Dependencies{.node = options.node,
                                   .membership = options.membership,
                                   .executor = options.executor,
                                   .clock = options.clock,
                                   .checks = std::move(options.checks),
                                   .guard = options.guard,
                                   .own_hosts = own_hosts,
                                   .node_name = std::move(options.node_name)});
  records_ =
      std::make_shared<RecordsEndpoint>(RecordsEndpoint::Dependencies{.broker = options.node,
                                                                      .executor = options.executor,
                                                                      .clock = options.clock,
                                                                      .observer = options.observer,
                                                                      .guard = options.guard,
                                                                      .own_hosts = own_hosts});
}

void Console::AddTo(http::RouteTable& routes) {
  status_->AddTo(routes);
  records_->AddTo(routes);
  for (const PageFile& file : PageFiles()) {
    routes.Add("GET", file.name == kIndex ? "/" : base::StrCat("/console/", file.name),
               [this, &file](const http::Request& request) {
                 const absl::Status known = guard_.CheckIdentity(request);
                 if (known.ok()) return Answer(file);
                 return http::Response{.status = 401,
                                       .body = base::StrCat(base::StdView(known.message()), "\n"),
                                       .headers = ConsoleHeaders()};
               });
  }
}

void Console::Stop(absl::AnyInvocable<void()> done) {
  status_->Stop(
      [records = records_, done = std::move(done)]() mutable { records->Stop(std::move(done)); });
}

}  // namespace cairn::server
