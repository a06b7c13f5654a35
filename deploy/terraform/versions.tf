# What outlives the workers: topics, users, rights, quotas. The workers themselves are deploy/k8s.
#   terraform init && terraform apply -var-file=…      (OpenTofu: tofu)
# docs/kubernetes.md has a walk through it.
terraform {
  required_version = ">= 1.11" # passwords that are not kept in the state
  required_providers {
    kafka = {
      source  = "mongey/kafka"
      version = "~> 0.13.1"
    }
  }
}

provider "kafka" {
  bootstrap_servers = var.bootstrap_servers
  kafka_version     = "3.7.0"
  tls_enabled       = var.admin.tls
  ca_cert           = var.admin.ca_cert
  sasl_mechanism    = var.admin.username == null ? null : "scram-sha512"
  sasl_username     = var.admin.username
  sasl_password     = var.admin_password
  timeout           = 30
}
