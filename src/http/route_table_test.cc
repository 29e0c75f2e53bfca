#include "http/route_table.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "http/health_routes.h"

namespace cairn::http {
namespace {

TEST(RouteTableTest, AnswersHeadWithTheGetRoute) {
  RouteTable routes;
  routes.Add("GET", "/a", [](const Request& request) { return Response{.body = request.query}; });
  EXPECT_EQ(
      routes.Dispatch({.method = "HEAD", .path = "/a", .query = "q", .body = {}}).response.body,
      "q");
}

TEST(RouteTableTest, TellsUnknownPathsFromUnknownMethods) {
  RouteTable routes;
  routes.Add("GET", "/a", [](const Request&) { return Response{}; });
  routes.Add("POST", "/a", [](const Request&) { return Response{}; });
  EXPECT_EQ(
      routes.Dispatch({.method = "GET", .path = "/b", .query = {}, .body = {}}).response.status,
      404);
  const auto outcome = routes.Dispatch({.method = "PUT", .path = "/a", .query = {}, .body = {}});
  EXPECT_EQ(outcome.response.status, 405);
  EXPECT_EQ(outcome.response.headers, (Headers{{"Allow", "GET, HEAD, POST"}}));
}

class HealthRoutesTest : public testing::Test {
 protected:
  void SetUp() override {
    AddHealthRoutes(routes_, [this] { return checks_; });
  }
  Response Get(const std::string& path, const std::string& query = "") {
    return routes_.Dispatch({.method = "GET", .path = path, .query = query, .body = {}}).response;
  }

  RouteTable routes_;
  std::vector<HealthCheck> checks_ = {
      {.name = "serving", .status = absl::OkStatus()},
      {.name = "disk", .status = absl::OkStatus()},
      {.name = "logs", .status = absl::OkStatus(), .tolerated = true}};
};

TEST_F(HealthRoutesTest, ReadinessFollowsTheChecksAndSaysWhyNot) {
  EXPECT_EQ(Get("/readyz").status, 200);
  EXPECT_EQ(Get("/readyz").body, "ok\n");
  checks_[2].status = absl::DataLossError("t/0 is damaged");
  EXPECT_EQ(Get("/readyz").status, 200);
  checks_[1].status = absl::ResourceExhaustedError("the disk is full");
  EXPECT_EQ(Get("/readyz").status, 503);
  EXPECT_EQ(Get("/readyz", "verbos").body, "not ready: the disk is full\n");
  EXPECT_EQ(Get("/livez").status, 200);
}

TEST_F(HealthRoutesTest, VerboseNamesEachCheck) {
  EXPECT_EQ(Get("/readyz", "verbose").body, "[+]serving ok\n[+]disk ok\n[+]logs ok\nok\n");
  checks_[1].status = absl::ResourceExhaustedError("the disk is full");
  checks_[2].status = absl::DataLossError("t/0 is damaged");
  EXPECT_EQ(Get("/readyz", "x=1&verbose=1").status, 503);
  EXPECT_EQ(Get("/readyz", "x=1&verbose=1").body,
            "[+]serving ok\n[-]disk failed: the disk is full\n[!]logs tolerated: t/0 is damaged\n"
            "not ready: the disk is full\n");
}

}  // namespace
}  // namespace cairn::http
