output "worker_environment" {
  description = "What the workers need beside the secrets"
  value = {
    STREAM_KAFKA__APP_ID             = var.app_id
    STREAM_KAFKA__BOOTSTRAP_SERVERS  = join(",", var.bootstrap_servers)
    STREAM_KAFKA__MEASUREMENTS_TOPIC = kafka_topic.measurements.name
    STREAM_KAFKA__METRICS_TOPIC      = kafka_topic.metrics.name
    STREAM_KAFKA__DEAD_LETTER_TOPIC  = kafka_topic.dead_letters.name
    STREAM_KAFKA__SASL_USERNAME      = local.worker
  }
}
