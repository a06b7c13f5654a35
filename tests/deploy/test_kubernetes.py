"""Every folder of deploy/k8s renders, is valid by the schemas of Kubernetes, and agrees with the program."""

from __future__ import annotations

import re
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml

from stream_app import __version__
from stream_app.infra.http.health import figures, router
from stream_app.infra.kafka.engine.engine import _CUT_AFTER_S
from stream_app.settings import Settings
from tests.deploy import variables
from tests.deploy.custom_resources import schema
from tests.deploy.manifests import (
    COMPONENTS,
    K8S,
    Manifest,
    environment,
    of_kind,
    pods,
    rendered,
    with_components,
)
from tools import prometheus_rule

LOCAL, PRODUCTION = K8S / "overlays" / "local", K8S / "overlays" / "production"
CUSTOM = {"ScaledObject", "TriggerAuthentication", "PodMonitor", "PrometheusRule"}


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> tuple[Manifest, ...]:
    return with_components(PRODUCTION, COMPONENTS, tmp_path_factory.mktemp("overlay"))


@pytest.fixture(params=["local", "production", "production with all components"])
def manifests(request: pytest.FixtureRequest) -> tuple[Manifest, ...]:
    folders = {"local": LOCAL, "production": PRODUCTION}
    if request.param in folders:
        return rendered(folders[request.param])
    all_of_them: tuple[Manifest, ...] = request.getfixturevalue("everything")
    return all_of_them


def worker(manifests: tuple[Manifest, ...]) -> Manifest:
    return pods(manifests)["stream-app"]


def selects(selector: Manifest, pod: Manifest) -> bool:
    labels = pod["metadata"]["labels"]
    return bool(selector) and all(labels.get(name) == value for name, value in selector.items())


@pytest.mark.parametrize("version", ["1.34", "1.37"])
def test_kubernetes_takes_every_object(manifests: tuple[Manifest, ...], version: str) -> None:
    """No unknown field, none of a wrong type."""
    for each in manifests:
        if each["kind"] not in CUSTOM:
            kubernetes_validate.validate(each, version, strict=True)


def test_a_field_that_does_not_exist_is_refused() -> None:
    """So the test above can fail."""
    (service, *_) = of_kind(rendered(LOCAL), "Service")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(service | {"spec": service["spec"] | {"portz": []}}, "1.34", strict=True)


def test_selectors_select_the_pods(manifests: tuple[Manifest, ...]) -> None:
    """Those of services, budgets, policies, monitors and of the sets themselves."""
    found = pods(manifests)
    for each in manifests:
        spec = each.get("spec", {})
        if each["kind"] == "Service":
            selectors = [spec["selector"]]
        elif each["kind"] in {"StatefulSet", "Deployment"}:
            template = spec["template"]["spec"]
            spreads = template.get("topologySpreadConstraints", ())
            selectors = [spec["selector"]["matchLabels"], *(one["labelSelector"]["matchLabels"] for one in spreads)]
            assert all(selects(one, spec["template"]) for one in selectors)
        elif each["kind"] in {"PodDisruptionBudget", "PodMonitor"}:
            selectors = [spec["selector"]["matchLabels"]]
        elif each["kind"] == "NetworkPolicy":
            selectors = [spec["podSelector"]["matchLabels"]]
        else:
            continue
        for selector in selectors:
            chosen = [name for name, pod in found.items() if selects(selector, pod)]
            assert len(chosen) == 1, f"{each['kind']} {each['metadata']['name']} selects {chosen}"


def test_everything_is_in_the_namespace_that_restricts_pods(manifests: tuple[Manifest, ...]) -> None:
    """A pod that is not restricted would be refused."""
    (namespace,) = of_kind(manifests, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    others = [each for each in manifests if each is not namespace]
    assert {each["metadata"].get("namespace") for each in others} == {namespace["metadata"]["name"]}


def test_pods_are_restricted(manifests: tuple[Manifest, ...]) -> None:
    """By the pod security standard, and with a root file system that cannot be written."""
    for pod in pods(manifests).values():
        spec = pod["spec"]
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        for container in spec["containers"]:
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False
            assert own["readOnlyRootFilesystem"] is True
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"].keys() >= {"cpu", "memory"}
        assert {next(iter(volume.keys() - {"name"})) for volume in spec["volumes"]} <= {"emptyDir", "secret"}


def test_what_is_written_is_mounted(manifests: tuple[Manifest, ...]) -> None:
    """The folders that the image writes, by the user whom it names."""
    user = re.search(r"^USER (\d+)$", variables.DOCKERFILE, re.MULTILINE)
    assert user is not None
    written = variables.written()
    for pod in pods(manifests).values():
        assert pod["spec"]["securityContext"]["runAsUser"] == int(user[1])
        for container in pod["spec"]["containers"]:
            kinds = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
            writable = {m["mountPath"] for m in container["volumeMounts"] if "emptyDir" in kinds[m["name"]]}
            assert written <= writable


def test_files_fit_into_the_space_that_a_worker_has(manifests: tuple[Manifest, ...]) -> None:
    """Two of the largest uploads at a time; and the folders into what the pod may take of its node's disk."""
    pod = worker(manifests)
    empty = {volume["name"]: volume["emptyDir"] for volume in pod["spec"]["volumes"] if "emptyDir" in volume}
    sizes = {name: _bytes(volume["sizeLimit"]) for name, volume in empty.items()}
    assert sizes["data"] >= 2 * Settings().http.max_upload_bytes
    limit = pod["spec"]["containers"][0]["resources"]["limits"]["ephemeral-storage"]
    assert sum(sizes.values()) <= _bytes(limit)


def _bytes(quantity: str) -> int:
    return int(quantity[:-2]) << {"Ki": 10, "Mi": 20, "Gi": 30}[quantity[-2:]]


def test_a_worker_starts_with_its_environment(manifests: tuple[Manifest, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variable is one that it reads, the values fit, and somebody has decided who may use the API."""
    for pod in pods(manifests).values():
        settings = variables.settings(environment(pod, manifests), monkeypatch)
        assert settings.kafka.app_id == Settings().kafka.app_id


def test_secrets_are_mounted_where_settings_look_for_them(manifests: tuple[Manifest, ...]) -> None:
    """Every file that a variable names is one of a secret's; none is committed."""
    assert of_kind(manifests, "Secret") == []
    for pod in pods(manifests).values():
        (container, *_) = pod["spec"]["containers"]
        mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
        for name, value in environment(pod, manifests).items():
            if value.startswith("/etc/"):
                folder, _, file = value.rpartition("/")
                (volume,) = [each for each in pod["spec"]["volumes"] if mounts.get(each["name"]) == folder]
                assert file in {item["key"] for item in volume["secret"].get("items", [{"key": file}])}, name


def test_ports_and_probes_are_those_of_the_program(manifests: tuple[Manifest, ...]) -> None:
    """Every probe asks a path that exists, at a port that is open; services and policies name the same port."""
    paths = {route.path for route in (*router.routes, *figures.routes)}  # type: ignore[attr-defined]  # all are routes
    (container,) = worker(manifests)["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": Settings().http.port}
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {probe["port"] for probe in probes.values()} == {"http"}
    assert {probe["path"] for probe in probes.values()} <= paths
    assert (probes["readiness"]["path"], probes["liveness"]["path"]) == ("/health/ready", "/health/live")
    assert probes["startup"] == probes["liveness"], "a worker that waits for Kafka is not restarted"
    for service in of_kind(manifests, "Service"):
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= set(ports)
    history = pods(manifests).get("stream-app-history")
    if history is not None:
        (container,) = history["spec"]["containers"]
        opened = environment(history, manifests)["STREAM_HISTORY__PORT"]
        assert [str(port["containerPort"]) for port in container["ports"]] == [opened]
        assert {container[f"{name}Probe"]["httpGet"]["port"] for name in ("startup", "liveness", "readiness")} == {
            "http"
        }
    for monitor in of_kind(manifests, "PodMonitor"):
        for endpoint in monitor["spec"]["podMetricsEndpoints"]:
            assert endpoint["port"] in ports
            assert endpoint["path"] in paths


def test_workers_reach_each_other_by_names_of_their_own(
    manifests: tuple[Manifest, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The headless service names each, from its start on; the policy lets them."""
    (group,) = [each for each in of_kind(manifests, "StatefulSet") if each["metadata"]["name"] == "stream-app"]
    (headless,) = [each for each in of_kind(manifests, "Service") if each["spec"].get("clusterIP") == "None"]
    assert headless["metadata"]["name"] == group["spec"]["serviceName"]
    assert headless["spec"]["publishNotReadyAddresses"] is True
    settings = variables.settings(environment(worker(manifests), manifests), monkeypatch)
    port = headless["spec"]["ports"][0]["port"]
    assert settings.http.url == (
        f"http://from-the-cluster.{headless['metadata']['name']}.from-the-cluster.svc.cluster.local:{port}"
    )
    (policy,) = [each for each in of_kind(manifests, "NetworkPolicy") if each["metadata"]["name"] == "stream-app"]
    own = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "stream-app"}}}
    assert any(own in rule["from"] for rule in policy["spec"]["ingress"])
    assert any(own in rule.get("to", ()) and rule["ports"][0]["port"] == port for rule in policy["spec"]["egress"])


def test_kafka_can_be_reached(manifests: tuple[Manifest, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """The policy opens the port of the bootstrap servers."""
    settings = variables.settings(environment(worker(manifests), manifests), monkeypatch)
    (policy,) = [each for each in of_kind(manifests, "NetworkPolicy") if each["metadata"]["name"] == "stream-app"]
    opened = {port["port"] for rule in policy["spec"]["egress"] if "to" not in rule for port in rule["ports"]}
    assert {int(server.rpartition(":")[2]) for server in settings.kafka.bootstrap_servers.split(",")} <= opened


def test_a_worker_has_time_to_end(manifests: tuple[Manifest, ...]) -> None:
    """Longer than it waits before it stops, and than stopping takes at most."""
    pod = worker(manifests)["spec"]
    waits = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] > waits + _CUT_AFTER_S


def test_membership_is_dynamic(manifests: tuple[Manifest, ...]) -> None:
    """A static member's id would let two processes have the same partitions (docs/decisions/0008)."""
    assert "instance" not in str([environment(pod, manifests) for pod in pods(manifests).values()]).lower()


def test_the_image_is_this_release(manifests: tuple[Manifest, ...]) -> None:
    """By its version, which no other has; its arguments are a command."""
    from stream_app.cli import app

    commands = {*(each.callback.__name__ for each in app.registered_commands if each.callback)} | {
        group.name for group in app.registered_groups
    }
    for pod in pods(manifests).values():
        for container in pod["spec"]["containers"]:
            assert container["image"] == f"stream-app:{__version__}"
            assert container["args"][0] in commands


def test_keda_scales_what_is_there(everything: tuple[Manifest, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """The group and topic of the settings, no more workers than partitions, slowly."""
    settings = variables.settings(environment(worker(everything), everything), monkeypatch)
    (scaled,) = of_kind(everything, "ScaledObject")
    spec = scaled["spec"]
    target = spec["scaleTargetRef"]
    assert [each for each in of_kind(everything, target["kind"]) if each["metadata"]["name"] == target["name"]]
    assert spec["maxReplicaCount"] <= settings.kafka.partitions
    assert spec["minReplicaCount"] >= 1
    assert spec["cooldownPeriod"] >= 600
    metadata = spec["triggers"][0]["metadata"]
    assert metadata["consumerGroup"] == settings.kafka.app_id
    assert metadata["topic"] == settings.kafka.measurements_topic
    assert metadata["bootstrapServers"] == settings.kafka.bootstrap_servers
    (authentication,) = of_kind(everything, "TriggerAuthentication")
    assert spec["triggers"][0]["authenticationRef"]["name"] == authentication["metadata"]["name"]


def test_a_cluster_is_monitored_as_every_other_deployment(everything: tuple[Manifest, ...]) -> None:
    """By the alerts and the dashboard of deploy/monitoring, which find the workers under the same job."""
    assert prometheus_rule.FILE.read_text("utf-8") == prometheus_rule.prometheus_rule(), "run make docs"
    (rule,) = of_kind(everything, "PrometheusRule")
    monitoring = prometheus_rule.DEPLOY / "monitoring"
    assert rule["spec"] == yaml.safe_load((monitoring / "alerts.yml").read_text("utf-8"))
    (board,) = [each for each in of_kind(everything, "ConfigMap") if "grafana_dashboard" in str(each["metadata"])]
    assert board["data"] == {"stream-app.json": (monitoring / "grafana" / "stream-app.json").read_text("utf-8")}
    of_workers, of_history = of_kind(everything, "PodMonitor")
    job = worker(everything)["metadata"]["labels"][of_workers["spec"]["jobLabel"]]
    (relabelled,) = of_history["spec"]["podMetricsEndpoints"][0]["relabelings"]
    scraped = yaml.safe_load((monitoring / "prometheus.yml").read_text("utf-8"))["scrape_configs"]
    history = {"targetLabel": "job", "replacement": scraped[-1]["job_name"]}
    assert ([job], relabelled) == ([each["job_name"] for each in scraped[:-1]], history)


def test_every_file_is_rendered(everything: tuple[Manifest, ...]) -> None:
    """No manifest is left over, and none is there twice."""
    used: set[Path] = set()
    for kustomization in K8S.rglob("kustomization.yaml"):
        text = kustomization.read_text("utf-8")
        used |= {file for file in kustomization.parent.glob("*") if re.search(rf"\b{re.escape(file.name)}\b", text)}
        used.add(kustomization)
    assert {file for file in K8S.rglob("*") if file.is_file()} == used
    names = [(each["kind"], each["metadata"]["name"]) for each in everything]
    assert len(names) == len(set(names))


def test_other_programs_take_their_resources(everything: tuple[Manifest, ...]) -> None:
    """By the definitions of KEDA and of the Prometheus operator; an unknown field is refused."""
    found = of_kind(everything, *CUSTOM)
    assert {each["apiVersion"].split("/")[0] for each in found} == {"keda.sh", "monitoring.coreos.com"}
    for each in found:
        validator = jsonschema.Draft202012Validator(schema(each["apiVersion"], each["kind"]))
        assert [error.message for error in validator.iter_errors(each)] == []
        assert not validator.is_valid(each | {"spec": each["spec"] | {"polingInterval": 1}})
