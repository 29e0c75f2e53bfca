#include "rpc/topic_codec.h"

namespace cairn::rpc {

broker::TopicSettingsChange ReadTopicSettings(const v1::TopicSettings& settings) {
  broker::TopicSettingsChange change;
  if (settings.has_retention_bytes()) change.retention_bytes = settings.retention_bytes();
  if (settings.has_retention_ms()) change.retention_ms = settings.retention_ms();
  if (settings.has_segment_bytes()) change.segment_bytes = settings.segment_bytes();
  if (settings.has_segment_ms()) change.segment_ms = settings.segment_ms();
  if (settings.has_max_record_bytes()) change.max_record_bytes = settings.max_record_bytes();
  if (settings.has_max_batch_bytes()) change.max_batch_bytes = settings.max_batch_bytes();
  return change;
}

void WriteTopic(const broker::TopicInfo& topic, v1::Topic& to) {
  to.set_name(topic.name);
  to.set_id(topic.id.ToString());
  to.set_partition_count(topic.partition_count);
  to.set_replication_factor(topic.replication_factor);
  to.set_created_ms(topic.created_ms);
  v1::TopicSettings& settings = *to.mutable_settings();
  settings.set_retention_bytes(topic.settings.retention_bytes);
  settings.set_retention_ms(topic.settings.retention_ms);
  settings.set_segment_bytes(topic.settings.segment_bytes);
  settings.set_segment_ms(topic.settings.segment_ms);
  settings.set_max_record_bytes(topic.settings.max_record_bytes);
  settings.set_max_batch_bytes(topic.settings.max_batch_bytes);
}

}  // namespace cairn::rpc
