#include "api/status_codec.h"

#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

#include <string>

#include "base/error_info.h"
#include "cairn/status/details.pb.h"
#include "log/v1/log.grpc.pb.h"

namespace cairn::api {
namespace {

TEST(StatusCodecTest, KeepsEveryCanonicalCodeAndMessageOverTheWire) {
  for (int code = 1; code <= 16; ++code) {
    const absl::Status sent(static_cast<absl::StatusCode>(code), "what was wrong");
    EXPECT_EQ(FromGrpcStatus(ToGrpcStatus(sent)), sent) << code;
  }
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
  EXPECT_TRUE(FromGrpcStatus(grpc::Status::OK).ok());
}

TEST(StatusCodecTest, KeepsReasonAndMetadata) {
  const absl::Status sent = base::MakeError(absl::StatusCode::kFailedPrecondition, "elsewhere",
                                            base::reason::kUnexpectedOffset,
                                            {{"expected_offset", "7"}, {"actual_offset", "9"}});
  EXPECT_EQ(FromGrpcStatus(ToGrpcStatus(sent)), sent);
  logapi::v1::Error error;
  ToErrorMessage(sent, error);
  EXPECT_EQ(FromErrorMessage(error), sent);
}

TEST(StatusCodecTest, OutOfRangeCarriesTheDetailsOfTheAncestor) {
  const grpc::Status status =
      ToGrpcStatus(base::MakeError(absl::StatusCode::kOutOfRange, "offset 9",
                                   base::reason::kOffsetOutOfRange, {{"log_start", "0"}}));
  status::Status wire;
  ASSERT_TRUE(wire.ParseFromString(status.error_details()));
  EXPECT_EQ(wire.code(), grpc::OUT_OF_RANGE);
  ASSERT_EQ(wire.details_size(), 2);
  EXPECT_EQ(wire.details(0).type_url(), "type.googleapis.com/google.rpc.ErrorInfo");
  EXPECT_EQ(wire.details(1).type_url(), "type.googleapis.com/google.rpc.LocalizedMessage");
  status::LocalizedMessage localized;
  ASSERT_TRUE(localized.ParseFromString(wire.details(1).value()));
  EXPECT_EQ(localized.locale(), "en-US");
  EXPECT_EQ(localized.message(), "The requested offset is outside of the log: offset 9");
}

TEST(StatusCodecTest, TurnsForeignCodesIntoUnknownAndSaysSo) {
  const absl::Status status =
      FromGrpcStatus({static_cast<grpc::StatusCode>(404), "offset out of range: 3"});
  EXPECT_EQ(status.code(), absl::StatusCode::kUnknown);
  EXPECT_EQ(status.message(), "offset out of range: 3 (status code 404)");
}

TEST(StatusCodecTest, IgnoresDetailsThatAreGarbageOversizedOrOfAnotherDomain) {
  EXPECT_EQ(FromGrpcStatus({grpc::NOT_FOUND, "m", "\xff\xff garbage"}), absl::NotFoundError("m"));
  EXPECT_EQ(FromGrpcStatus({grpc::NOT_FOUND, "m", std::string(kMaxStatusDetailsBytes + 1, '\0')}),
            absl::NotFoundError("m"));
  status::ErrorInfo foreign;
  foreign.set_reason("API_DISABLED");
  foreign.set_domain("googleapis.com");
  status::Status wire;
  wire.add_details()->set_type_url("type.googleapis.com/google.rpc.ErrorInfo");
  wire.mutable_details(0)->set_value(foreign.SerializeAsString());
  EXPECT_EQ(FromGrpcStatus({grpc::NOT_FOUND, "m", wire.SerializeAsString()}),
            absl::NotFoundError("m"));
}

TEST(StatusCodecTest, BoundsTextAndKeepsItValidUtf8) {
  const std::string hostile =
      "caf\xc3\xa9 \xe2\x82\xac \xff\xc0\x80\xed\xa0\x80 " + std::string(5000, 'x');
  const grpc::Status status = ToGrpcStatus(
      base::MakeError(absl::StatusCode::kInvalidArgument, hostile, "R", {{hostile, hostile}}));
  EXPECT_EQ(status.error_message().size(), kMaxStatusTextBytes);
  EXPECT_EQ(status.error_message().substr(0, 15), "caf\xc3\xa9 \xe2\x82\xac ?????");
  EXPECT_LT(status.error_details().size(), 8u << 10);
  EXPECT_TRUE(base::GetErrorInfo(FromGrpcStatus(status)).has_value());
}

TEST(GeneratedApiTest, KeepsTheWirePackageOfTheAncestor) {
  EXPECT_STREQ(logapi::v1::Log::service_full_name(), "log.v1.Log");
  EXPECT_EQ(logapi::v1::Record::descriptor()->full_name(), "log.v1.Record");
  EXPECT_EQ(logapi::v1::ConsumeResponse::kRecordFieldNumber, 2);
}

}  // namespace
}  // namespace cairn::api
