variable "bootstrap_servers" {
  description = "Brokers, each as host:port"
  type        = list(string)
}

variable "admin" {
  description = "How Terraform signs in: a user that may alter the cluster; ca_cert is PEM text or a file's path"
  type = object({
    username = optional(string)
    tls      = optional(bool, true)
    ca_cert  = optional(string)
  })
  default = {}
}

variable "admin_password" {
  type      = string
  default   = null
  sensitive = true
}

variable "app_id" {
  description = "STREAM_KAFKA__APP_ID: the consumer group, and the prefix of the changelogs"
  type        = string
  default     = "stream-app"
}

variable "measurements_topic" {
  type    = string
  default = "measurements"
}

variable "metrics_topic" {
  type    = string
  default = "metrics"
}

variable "dead_letter_topic" {
  type    = string
  default = "measurements-dlq"
}

variable "partitions" {
  description = "Of every topic; as many workers can share the load. It cannot grow without computing the state anew: choose it for the fleet to come (stream-app plan)"
  type        = number
  default     = 12
}

variable "replication_factor" {
  type    = number
  default = 3
}

variable "retention_days" {
  description = "How long Kafka keeps the rows, the updates and the dead letters"
  type        = object({ measurements = optional(number, 7), metrics = optional(number, 7), dead_letters = optional(number, 30) })
  default     = {}
}

variable "producers" {
  description = "Users that write rows, each with the bytes a second that a broker takes of it"
  type        = map(object({ bytes_per_s = optional(number, 5000000) }))
  default     = {}
}

variable "readers" {
  description = "Users that read updates and dead letters, in groups whose names begin with theirs; bytes a second as above"
  type        = map(object({ bytes_per_s = optional(number, 20000000) }))
  default     = {}
}

variable "passwords" {
  description = "Of each user: the workers' (worker), history's, producers' and readers'. They are not kept in the state: raise passwords_version when one changes"
  type        = map(string)
  default     = {}
  sensitive   = true
  ephemeral   = true
}

variable "passwords_version" {
  type    = string
  default = "1"
}
