"""Kubernetes: a deployment whose pods terminate TLS, with a certificate that cert-manager obtains and renews."""

from __future__ import annotations

from tlsrun.deciding.plan import Plan
from tlsrun.errors import ConfigurationError
from tlsrun.export import serving
from tlsrun.export.cells import CONTAINER, cells, no_option
from tlsrun.export.dockerfile import ACCOUNT, MOUNTED
from tlsrun.export.material import quoted
from tlsrun.export.quoting import kubernetes, yaml
from tlsrun.export.site import Site
from tlsrun.export.text import after_options, comment

TITLE = "A Kubernetes manifest"
DEFAULTS = {"host": "0.0.0.0", "port": 443}  # noqa: S104 -- text of a file
_FILES = (
    "cert", "key", "chain", "key_password", "key_password_file", "key_password_command", "sni", "acme_webroot",
    "client_crl",
)  # fmt: skip
MAPPING = cells(
    CONTAINER,
    dict.fromkeys(_FILES, no_option("files of this machine: cert-manager makes certificate and key", None, ())),
)
NEEDS_CERTIFICATE: frozenset[str] = frozenset()

_CLIENTS = "/etc/tls-clients"
#: The pods listen on the Service's ports: the redirect names the port that it knows.
_LOW_PORTS_FREE = """\
        # The account of the image may listen on ports below 1024; a safe sysctl since Kubernetes 1.22.
        sysctls:
          - {name: net.ipv4.ip_unprivileged_port_start, value: "0"}
"""


def render(plan: Plan, site: Site) -> str:
    """A manifest of several objects, for ``kubectl apply``.

    Raises:
        ConfigurationError: no host names are set, or the site's name cannot be a Service's.
    """
    if not site.name[0].isalpha():
        what = "is no name for a Service, which begins with a letter (RFC 1035)"
        raise ConfigurationError.of(where=f"--name {site.name}", what=what, remedy="Choose another (--name)")
    if not plan.hosts:
        raise ConfigurationError.of(
            where="hosts",
            what="cert-manager is to obtain a certificate, and no names are set",
            remedy="Set TLS_HOSTS (--hosts example.org)",
            code="TLS205",
        )
    objects = (_deployment(plan, site), _service(plan, site), _certificate(plan, site), _budget(site))
    return _head(plan, site) + "".join(f"---\n{one}" for one in objects)


def _head(plan: Plan, site: Site) -> str:
    paragraphs = [
        f"{site.app} on Kubernetes: a Service passes TLS through to {site.server} in the pods, which end it; "
        "cert-manager obtains the certificate and renews it in the secret, and the pods serve a renewed one without a "
        "restart.",
        *site.origin,
        f"The image is that of the Dockerfile: tlsrun export dockerfile {quoted(site.app)} -o Dockerfile. Put its name "
        f"in place of registry.example/{site.name}:1, and that of your ClusterIssuer in place of letsencrypt. Then:",
        f"    kubectl apply -f {quoted(site.file('FILE'))}",
    ]
    if plan.by_udp:
        paragraphs.append(
            "HTTP/3 comes by UDP, at the port of HTTPS. Whether one Service may have both protocols is the load "
            "balancer's affair; where it may not, --http 2,1.1 writes a file without UDP."
        )
    if plan.clients is not None and plan.clients.ca.path is not None:
        paragraphs += [
            "The authority that signs client certificates:",
            f"    kubectl create configmap {site.name}-clients --from-file=ca.pem={quoted(plan.clients.ca.name)}",
        ]
    return comment(*paragraphs)


def _deployment(plan: Plan, site: Site) -> str:
    said = serving.settings(
        plan,
        site,
        host="0.0.0.0",  # noqa: S104 -- text of a file
        cert=f"{MOUNTED}/tls.crt",
        key=f"{MOUNTED}/tls.key",
        redirect_port=plan.redirect_port,
        hosts=",".join(plan.hosts),
        **serving.clients(plan, site, f"{_CLIENTS}/ca.pem", ""),
    )
    variables = "".join(
        f"            - name: {name}\n              value: {kubernetes(value)}\n" for name, value in said.items()
    )
    words = ["tlsrun", "run", *after_options(site.app)]
    clients_mount = clients_volume = plain = udp = ""
    if plan.clients is not None and plan.clients.ca.path is not None:
        clients_mount = (
            f"            - name: clients\n              mountPath: {_CLIENTS}\n              readOnly: true\n"
        )
        clients_volume = f"        - name: clients\n          configMap:\n            name: {site.name}-clients\n"
    if plan.by_udp:
        udp = f"            - name: http3\n              containerPort: {plan.endpoint.port}\n"
        udp += "              protocol: UDP\n"
    if plan.redirect_port is not None:
        plain = f"            - name: http\n              containerPort: {plan.redirect_port}\n"
    low = _LOW_PORTS_FREE if min(plan.endpoint.port, plan.redirect_port or 65535) < 1024 else ""
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {yaml(site.name)}
  labels: {{app: {yaml(site.name)}}}
spec:
  replicas: 2
  selector:
    matchLabels: {{app: {yaml(site.name)}}}
  strategy:
    rollingUpdate:
      # No pod goes before another one is there.
      maxUnavailable: 0
      maxSurge: 1
  template:
    metadata:
      labels: {{app: {yaml(site.name)}}}
    spec:
      # Longer than the server takes to finish what it is at.
      terminationGracePeriodSeconds: 60
      automountServiceAccountToken: false
      securityContext:
        runAsNonRoot: true
        runAsUser: {ACCOUNT}
        runAsGroup: {ACCOUNT}
        # The secret's files belong to this group.
        fsGroup: {ACCOUNT}
{low}        seccompProfile: {{type: RuntimeDefault}}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels: {{app: {yaml(site.name)}}}
      containers:
        - name: app
          image: registry.example/{site.name}:1
          args: [{", ".join(map(kubernetes, words))}]
          env:
{variables}          ports:
            - name: https
              containerPort: {plan.endpoint.port}
{udp}{plain}          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {{drop: ["ALL"]}}
          # That the port is open says enough: a probe that asked the application would need the client's certificate
          # where those are required, and would have a pod killed for a database that is gone.
          startupProbe:
            tcpSocket: {{port: https}}
            periodSeconds: 1
            failureThreshold: 60
          readinessProbe:
            tcpSocket: {{port: https}}
            periodSeconds: 5
          livenessProbe:
            tcpSocket: {{port: https}}
            periodSeconds: 10
            failureThreshold: 6
          lifecycle:
            # The Service needs a moment to stop sending connections to a pod that goes.
            preStop:
              exec:
                command: ["sleep", "5"]
          resources:
            requests: {{cpu: 100m, memory: 128Mi}}
            limits: {{memory: 512Mi}}
          volumeMounts:
            # The whole folder: a subPath would never see a renewed certificate.
            - name: tls
              mountPath: {MOUNTED}
              readOnly: true
{clients_mount}            - name: tmp
              mountPath: /tmp
      volumes:
        - name: tls
          secret:
            secretName: {site.name}-tls
            defaultMode: 0440
{clients_volume}        - name: tmp
          emptyDir: {{}}
"""


def _service(plan: Plan, site: Site) -> str:
    port = plan.endpoint.port
    udp = f"    - {{name: http3, port: {port}, protocol: UDP, targetPort: http3}}\n" if plan.by_udp else ""
    plain = f"    - {{name: http, port: {plan.redirect_port}, targetPort: http}}\n" if plan.redirect_port else ""
    return f"""\
apiVersion: v1
kind: Service
metadata:
  name: {yaml(site.name)}
  labels: {{app: {yaml(site.name)}}}
spec:
  type: LoadBalancer
  # The client's address is kept: no other node forwards the connection.
  externalTrafficPolicy: Local
  selector: {{app: {yaml(site.name)}}}
  ports:
    - {{name: https, port: {port}, targetPort: https}}
{udp}{plain}"""


def _certificate(plan: Plan, site: Site) -> str:
    return f"""\
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: {yaml(site.name)}
spec:
  secretName: {site.name}-tls
  dnsNames: [{", ".join(map(yaml, plan.hosts))}]
  privateKey:
    algorithm: ECDSA
    size: 256
    # A new key at each renewal.
    rotationPolicy: Always
  issuerRef:
    kind: ClusterIssuer
    name: letsencrypt
"""


def _budget(site: Site) -> str:
    return f"""\
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {yaml(site.name)}
spec:
  # While nodes are emptied, one pod always serves.
  minAvailable: 1
  selector:
    matchLabels: {{app: {yaml(site.name)}}}
"""
