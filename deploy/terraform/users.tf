# The least that each user needs. Producers and readers cannot touch the state.

locals {
  worker  = var.app_id
  history = "${var.app_id}-history"
  users   = toset(concat([local.worker, local.history], keys(var.producers), keys(var.readers)))

  read_write = ["Read", "Write", "Describe", "DescribeConfigs"]
  rights = concat(
    [for topic in concat([var.measurements_topic, var.metrics_topic, var.dead_letter_topic], local.changelog_names) :
    { user = local.worker, type = "Topic", name = topic, pattern = "Literal", operations = local.read_write }],
    [
      { user = local.worker, type = "Topic", name = kafka_topic.keys.name, pattern = "Literal", operations = ["Read", "Describe"] },
      { user = local.worker, type = "Group", name = var.app_id, pattern = "Literal", operations = ["Read"] },
      { user = local.history, type = "Topic", name = var.metrics_topic, pattern = "Literal", operations = ["Read", "Describe"] },
      { user = local.history, type = "Group", name = local.history, pattern = "Literal", operations = ["Read"] },
    ],
    [for name in keys(var.producers) :
    { user = name, type = "Topic", name = var.measurements_topic, pattern = "Literal", operations = ["Write", "Describe"] }],
    flatten([for name in keys(var.readers) : [
      { user = name, type = "Topic", name = var.metrics_topic, pattern = "Literal", operations = ["Read", "Describe"] },
      { user = name, type = "Topic", name = var.dead_letter_topic, pattern = "Literal", operations = ["Read", "Describe"] },
      { user = name, type = "Group", name = name, pattern = "Prefixed", operations = ["Read"] },
    ]]),
  )
  grants = merge([for right in local.rights : {
    for operation in right.operations : "${right.user}:${operation}:${right.type}:${right.name}" => merge(right, { operation = operation })
  }]...)
}

resource "kafka_user_scram_credential" "user" {
  for_each            = local.users
  username            = each.key
  scram_mechanism     = "SCRAM-SHA-512"
  scram_iterations    = 8192
  password_wo         = var.passwords[each.key]
  password_wo_version = var.passwords_version
}

resource "kafka_acl" "grant" {
  for_each                     = local.grants
  acl_principal                = "User:${each.value.user}"
  acl_host                     = "*"
  acl_permission_type          = "Allow"
  acl_operation                = each.value.operation
  resource_type                = each.value.type
  resource_name                = each.value.name
  resource_pattern_type_filter = each.value.pattern
}

# One producer that floods its topic slows itself down, not the others.
resource "kafka_quota" "producer" {
  for_each    = var.producers
  entity_type = "user"
  entity_name = each.key
  config      = { producer_byte_rate = each.value.bytes_per_s }
}

resource "kafka_quota" "reader" {
  for_each    = var.readers
  entity_type = "user"
  entity_name = each.key
  config      = { consumer_byte_rate = each.value.bytes_per_s }
}
