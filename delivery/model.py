"""What the settings say, as values: accounts, environments, names, stacks.

Every name that a template of delivery/ gives to a role, bucket or stack is said here once more, and
a contract test compares the two. Standard library only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

ENVIRONMENT_ROLES = ("delivery", "cloudformation", "acceptance", "preview", "github")
NOT_TRIED_OUT = ("prod", "acceptance")
"""In prod nothing is tried out, and there is no role that could."""
OPERATIONS_ROLES = ("pipeline", "build", "acceptance", "start")
ACCOUNT_TEMPLATE = "delivery/account.yaml"
PIPELINE_TEMPLATE = "delivery/pipeline.yaml"


@dataclass(frozen=True)
class Place:
    """One region of one account."""

    account: str
    region: str


@dataclass(frozen=True)
class Network:
    """Where jobs and models run in one region: outputs of delivery/network.yaml, or one's own."""

    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]


@dataclass(frozen=True)
class Repository:
    """Where Signalbox's own code lives; `name` is empty for nowhere that AWS should know of."""

    name: str
    branch: str
    connection: str
    owner_id: str = ""
    id: str = ""
    """GitHub's numbers of owner and repository, where its tokens hold them; both or none."""


@dataclass(frozen=True)
class Environment:
    """One environment of the control plane and what it is deployed with."""

    app: str
    name: str
    account: str
    regions: tuple[str, ...]
    promotes_to: str
    approval: str
    kind: str
    own_parameters: Mapping[str, str]
    quotas: Mapping[str, Mapping[str, float]]
    """By service, then by the quota's name: how much is needed at least."""
    schedules: Mapping[str, str]
    has_oidc: bool = False
    """Whether the account is said to have GitHub's identity provider, from somewhere else."""
    networks: Mapping[str, Network] = field(default_factory=dict)
    """By region; for every region or for none, where SageMaker's own network is used."""
    is_isolated: bool = False
    """Whether the containers of jobs and models have no network at all."""
    may_lose: tuple[str, ...] = ()
    """Logical ids of template.yaml whose data a deployment may lose."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Every parameter of template.yaml in the home region; Settings.parameters knows the others."""

    @property
    def region(self) -> str:
        """The home region: models are promoted to it."""
        return self.regions[0]

    @property
    def stack_name(self) -> str:
        """The stack of template.yaml."""
        return f"{self.app}-{self.name}"

    @property
    def account_stack_name(self) -> str:
        """The stack of delivery/account.yaml."""
        return f"{self.app}-{self.name}-account"

    def boundary_arn(self, region: str = "") -> str:
        """The permission boundary of every role that template.yaml makes."""
        name = f"{self.app}-{self.name}-boundary-{region or self.region}"
        return f"arn:aws:iam::{self.account}:policy/{name}"


@dataclass(frozen=True)
class FromOutput:
    """A parameter whose value only another stack can tell, once it is deployed."""

    parameter: str
    deployment: str
    output: str


@dataclass(frozen=True)
class Deployment:
    """One stack of the account set-up or of the delivery pipeline."""

    name: str
    template: str
    stack_name: str
    place: Place
    parameters: Mapping[str, str]
    from_outputs: tuple[FromOutput, ...] = ()
    capabilities: tuple[str, ...] = ("CAPABILITY_NAMED_IAM",)

    @property
    def where(self) -> str:
        """Part, stack, account and region, for messages."""
        return f"{self.name} ({self.stack_name} in {self.place.account}, {self.place.region})"


@dataclass(frozen=True)
class Settings:
    """All of delivery/environments/."""

    app: str
    repository: Repository
    operations: Place
    data: Place
    environments: Mapping[str, Environment]
    """In the order of promotion."""
    checks: str = "check test"
    """Make targets that a commit must pass in the delivery pipeline."""
    approvers: str = ""
    """The e-mail address that is asked before prod and told of failures; "" for none."""
    approval_timeout_minutes: int = 10080
    """How long a commit waits for its approval."""

    @property
    def artifact_bucket(self) -> str:
        """The artifact bucket of the operations account, in its home region."""
        return self.artifact_bucket_in(self.operations.region)

    def artifact_bucket_in(self, region: str) -> str:
        """The one of another region: functions take their code from their own region only."""
        return f"{self.app}-delivery-{self.operations.account}-{region}"

    def artifact_key_alias_in(self, region: str) -> str:
        """ARN by which S3 finds the artifact bucket's key, also for another account."""
        place = f"arn:aws:kms:{region}:{self.operations.account}"
        return f"{place}:alias/{self.app}-delivery"

    @property
    def data_bucket(self) -> str:
        """The bucket of shared data sets."""
        return f"{self.app}-data-{self.data.account}-{self.data.region}"

    def packages_prefix(self, environment: str) -> str:
        """Where packages for an environment lie in the artifact bucket; it may write there only."""
        return f"packages/{self.environments[environment].account}"

    def role_name(self, environment: str, kind: str, region: str = "") -> str:
        """Name of a role of delivery/account.yaml; `environment` may be "operations".

        Raises KeyError for an environment or kind that there is not.
        """
        if environment not in ("operations", *self.environments):
            raise KeyError(f"no environment {environment}, only {', '.join(self.environments)}")
        if environment == "operations":
            kinds: tuple[str, ...] = OPERATIONS_ROLES
            part, home = "delivery", self.operations.region
        else:
            kinds = tuple(k for k in ENVIRONMENT_ROLES if (environment, k) != NOT_TRIED_OUT)
            part, home = environment, self.environments[environment].region
        if kind not in kinds:
            raise KeyError(f"{environment} has no role {kind}, only {', '.join(kinds)}")
        return f"{self.app}-{part}-{kind}-{region or home}"

    def role_arn(self, environment: str, kind: str, region: str = "") -> str:
        """ARN of a role of delivery/account.yaml, as `role_name`."""
        name = self.role_name(environment, kind, region)
        is_operations = environment == "operations"
        place = self.operations if is_operations else self.environments[environment]
        return f"arn:aws:iam::{place.account}:role/{name}"

    @property
    def target_accounts(self) -> tuple[str, ...]:
        """Accounts that hold an environment, each once."""
        return tuple(dict.fromkeys(e.account for e in self.environments.values()))
