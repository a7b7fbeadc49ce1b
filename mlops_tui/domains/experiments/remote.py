"""The part of this room for clients over HTTP that speak another program's protocol: see `remote_runs.py` and its neighbours.

Unlike the SDK, which appends to a spool, such a client is answered only after its values are in the database, and may ask for
them at once. Runs are named by their whole id.
"""

from __future__ import annotations

from mlops_tui.core.context import Context
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.experiments.arrivals import Arrivals
from mlops_tui.domains.experiments.remote_experiments import RemoteExperiments
from mlops_tui.domains.experiments.remote_files import RemoteFiles
from mlops_tui.domains.experiments.remote_models import LoggedModels
from mlops_tui.domains.experiments.remote_runs import RemoteRuns
from mlops_tui.domains.experiments.store import ExperimentsStore


class Remote:
    """Experiments, runs, logged models, files, and runs that were made elsewhere."""

    def __init__(self, context: Context, audit: Audit, store: ExperimentsStore) -> None:
        self.experiments = RemoteExperiments(context, audit, store)
        self.runs = RemoteRuns(context, audit, store, self.experiments)
        self.models = LoggedModels(context, audit, self.runs)
        self.files = RemoteFiles(context, self.runs, self.models)
        self.arrivals = Arrivals(context, audit, store, self.experiments)
