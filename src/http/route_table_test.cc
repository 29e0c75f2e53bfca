#include "http/route_table.h"

#include <gtest/gtest.h>

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
  EXPECT_EQ(outcome.allow, "GET, HEAD, POST");
}

TEST(HealthRoutesTest, ReadinessFollowsTheStatusAndSaysWhyNot) {
  absl::Status state;
  RouteTable routes;
  AddHealthRoutes(routes, [&] { return state; });
  const Request ready{.method = "GET", .path = "/readyz", .query = {}, .body = {}};
  EXPECT_EQ(routes.Dispatch(ready).response.status, 200);
  state = absl::UnavailableError("the disk is full");
  EXPECT_EQ(routes.Dispatch(ready).response.status, 503);
  EXPECT_EQ(routes.Dispatch(ready).response.body, "not ready: the disk is full\n");
  const Request live{.method = "GET", .path = "/livez", .query = {}, .body = {}};
  EXPECT_EQ(routes.Dispatch(live).response.status, 200);
}

}  // namespace
}  // namespace cairn::http
