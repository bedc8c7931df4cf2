"""The Kubernetes manifest of TensorFlow Serving."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfrec.serving.deployment import yaml_text
from tfrec.serving.deployment.services import CONFIG_FOLDER, METRICS_PATH, MODELS_FOLDER, Service

CLAIM = "tfrec-models"
HEADER = f"""# TensorFlow Serving with exports of tfrec: kubectl apply -f kubernetes.yaml
# The PersistentVolumeClaim {CLAIM}, which you create, holds the folder of exports: NAME/VERSION/ at its top.
# Requests and limits of resources are examples: measure your models, and set them.
"""


def render(services: Sequence[Service], image: str) -> str:
    """A ConfigMap, a Deployment with probes, a Service and an autoscaler for each server."""
    documents = [make(service, image) for service in services for make in (_config, _deployment, _service, _scaler)]
    return HEADER + "---\n".join(yaml_text.render(document) for document in documents)


def _name(service: Service) -> str:
    return f"tfrec-{service.name}"


def _metadata(service: Service, **more: Any) -> dict[str, Any]:
    return {"name": _name(service), "labels": {"app": _name(service)}, **more}


def _config(service: Service, image: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata(service), "data": service.files()}


def _deployment(service: Service, image: str) -> dict[str, Any]:
    labels = {"app": _name(service)}
    annotations = {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "8501",
        "prometheus.io/path": METRICS_PATH,
    }
    pod = {
        "terminationGracePeriodSeconds": 60,
        "containers": [_container(service, image)],
        "volumes": [
            {"name": "config", "configMap": {"name": _name(service)}},
            {"name": "models", "persistentVolumeClaim": {"claimName": CLAIM, "readOnly": True}},
        ],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(service),
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {"metadata": {"labels": labels, "annotations": annotations}, "spec": pod},
        },
    }


def _container(service: Service, image: str) -> dict[str, Any]:
    ready = {"httpGet": {"path": service.health_path, "port": 8501}}
    return {
        "name": "tensorflow-serving",
        "image": image,
        "command": ["tensorflow_model_server"],
        "args": service.arguments(),
        "ports": [{"name": "grpc", "containerPort": 8500}, {"name": "rest", "containerPort": 8501}],
        # The REST port opens when every model is loaded and warmed up.
        "startupProbe": {**ready, "periodSeconds": 5, "failureThreshold": 60},
        "readinessProbe": {**ready, "periodSeconds": 5, "timeoutSeconds": 5},
        "livenessProbe": {"tcpSocket": {"port": 8500}, "periodSeconds": 10, "failureThreshold": 6},
        # Requests still arrive until the end of the pod is known everywhere.
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", "10"]}}},
        "resources": {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"memory": "4Gi"}},
        "volumeMounts": [
            {"name": "config", "mountPath": CONFIG_FOLDER, "readOnly": True},
            {"name": "models", "mountPath": MODELS_FOLDER, "readOnly": True},
        ],
    }


def _service(service: Service, image: str) -> dict[str, Any]:
    ports = [{"name": "grpc", "port": 8500, "targetPort": "grpc"}, {"name": "rest", "port": 8501, "targetPort": "rest"}]
    spec = {"selector": {"app": _name(service)}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _metadata(service), "spec": spec}


def _scaler(service: Service, image: str) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": 70}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": _metadata(service),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": _name(service)},
            "minReplicas": 2,
            "maxReplicas": 10,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
    }
