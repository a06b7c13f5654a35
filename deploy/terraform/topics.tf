# The settings that `stream-app topics check` wants. Rows and state are not destroyed by a plan: a measurements topic that
# is made anew is another log, and a changelog that is gone is the state.

locals {
  day_ms          = 24 * 60 * 60 * 1000
  in_sync         = { "min.insync.replicas" = tostring(max(1, var.replication_factor - 1)) }
  record_max      = "8388608"
  written_max     = "8454144" # a record, its batch and headers
  changelog_names = [for table in ["assets", "windows"] : "${var.app_id}-${table}-changelog"]
}

resource "kafka_topic" "measurements" {
  name               = var.measurements_topic
  partitions         = var.partitions
  replication_factor = var.replication_factor
  config = merge(local.in_sync, {
    "cleanup.policy"    = "delete"
    "max.message.bytes" = local.record_max
    "retention.ms"      = tostring(var.retention_days.measurements * local.day_ms)
  })

  lifecycle {
    prevent_destroy = true
  }
}

resource "kafka_topic" "changelog" {
  for_each           = toset(local.changelog_names)
  name               = each.key
  partitions         = kafka_topic.measurements.partitions
  replication_factor = var.replication_factor
  config = merge(local.in_sync, {
    "cleanup.policy"        = "compact"
    "max.message.bytes"     = local.written_max
    "segment.bytes"         = "52428800"
    "min.compaction.lag.ms" = "60000"
  })

  lifecycle {
    prevent_destroy = true
  }
}

resource "kafka_topic" "keys" {
  name               = "${var.app_id}-keys"
  partitions         = 1
  replication_factor = var.replication_factor
  config             = merge(local.in_sync, { "cleanup.policy" = "compact" })

  lifecycle {
    prevent_destroy = true
  }
}

resource "kafka_topic" "metrics" {
  name               = var.metrics_topic
  partitions         = var.partitions
  replication_factor = var.replication_factor
  config = merge(local.in_sync, {
    "cleanup.policy"    = "delete"
    "max.message.bytes" = local.written_max
    "retention.ms"      = tostring(var.retention_days.metrics * local.day_ms)
  })
}

resource "kafka_topic" "dead_letters" {
  name               = var.dead_letter_topic
  partitions         = var.partitions
  replication_factor = var.replication_factor
  config = merge(local.in_sync, {
    "cleanup.policy"    = "delete"
    "max.message.bytes" = local.written_max
    "retention.ms"      = tostring(var.retention_days.dead_letters * local.day_ms)
  })
}
