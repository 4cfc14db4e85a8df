"""Kafka and Postgres in containers, instead of the embedded ones: the images and the settings of docker-compose.yml."""

from __future__ import annotations

import asyncio
import gc
import socket
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml
from docker.errors import DockerException
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import ExecWaitStrategy

from service.local import Servers

_COMPOSE: dict[str, Any] = yaml.safe_load(Path("docker-compose.yml").read_text("utf-8"))["services"]


@asynccontextmanager
async def containers() -> AsyncIterator[Servers]:
    """Servers in containers of their own, gone afterwards; where no engine answers, the tests are skipped."""
    if nobody := _nobody_answers():
        pytest.skip(f"needs a Docker engine: {nobody}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    # The broker must know where it is reached from outside before it starts: no port that is given afterwards will do.
    broker = _container("kafka").with_bind_ports(9092, port)
    kafka = f"{broker.get_docker_client().host()}:{port}"
    broker.with_env("KAFKA_ADVERTISED_LISTENERS", f"INSIDE://kafka:19092,OUTSIDE://{kafka}")
    database = _container("postgres").with_exposed_ports(5432)
    try:
        await asyncio.gather(asyncio.to_thread(broker.start), asyncio.to_thread(database.start))
        user, password, name = (database.env[f"POSTGRES_{part}"] for part in ("USER", "PASSWORD", "DB"))
        at = f"{database.get_container_host_ip()}:{database.get_exposed_port(5432)}"
        yield Servers(kafka, f"postgresql://{user}:{password}@{at}/{name}")
    finally:
        broker.stop()
        database.stop()


def _nobody_answers() -> str:
    """Why no engine can be asked; empty where one answers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # a socket that found nobody is left to the collector
        try:
            docker.from_env().close()
            because = ""
        except DockerException as error:
            because = str(error)
        gc.collect()
    return because


def _container(service: str) -> DockerContainer:
    defined = _COMPOSE[service]
    environment = {name: str(value) for name, value in defined["environment"].items()}
    healthy = ExecWaitStrategy(["sh", "-c", defined["healthcheck"]["test"]]).with_startup_timeout(120)
    return DockerContainer(defined["image"], env=environment, hostname=service).waiting_for(healthy)
