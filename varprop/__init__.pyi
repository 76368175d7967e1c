from . import plot as plot
from . import theory as theory
from .engine.simulate import simulate as simulate
from .model.activations import Activation as Activation
from .model.activations import activation_names as activation_names
from .model.activations import get_activation as get_activation
from .model.initializers import Initializer as Initializer
from .model.initializers import get_initializer as get_initializer
from .model.initializers import initializer_names as initializer_names
from .model.layers import Dense as Dense
from .model.layers import UnsupportedError as UnsupportedError
from .model.network import Network as Network
from .model.network import mlp as mlp
from .model.simulation import Simulation as Simulation
from .report.write import write_report as write_report
from .stats.power import detectable_difference as detectable_difference
from .stats.power import required_networks as required_networks
from .study.errors import StudyError as StudyError
from .study.run import Run as Run
from .study.run import load_run as load_run
from .study.run import run_study as run_study
from .study.study import Study as Study
from .study.study import load_study as load_study
from .theory.predictions import predict as predict
from .verification.claims import Claim as Claim
from .verification.compare import verify as verify

__version__: str
