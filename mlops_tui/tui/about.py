"""What each pane shows and what its figures mean: the text behind F1."""

from __future__ import annotations

from mlops_tui.tui.lines import Line, line, wrap

PANES: dict[tuple[str, str], str] = {
    ("overview", "running"): "Jobs that wait or run and training runs that log right now, with how far they are.",
    (
        "overview",
        "deployed",
    ): "Every deployment with the share of each version, requests a second and their course over 15 minutes.",
    ("overview", "alerts"): "Conditions that want a person, then each monitor with its newest verdict.",
    ("overview", "fires"): "When each schedule fires next. A paused one has no time.",
    ("overview", "storage"): "What the workspace takes on disk, part by part, and what is left.",
    ("overview", "recent"): "The newest entries of the audit trail. Those since your last visit have the mark ● new.",
    (
        "features",
        "tables",
    ): "Feature tables. A table names its key columns and, for point-in-time joins, its event time.",
    ("features", "snapshots"): "Each ingest makes a snapshot that never changes; `table@12` names one for good.",
    (
        "features",
        "rows",
    ): "The rows of a table as it is now, or of the snapshot they were opened from, with a profile of the column.",
    (
        "features",
        "checks",
    ): "What must hold of a table, and how that went the last time; a failed error stops pipelines.",
    (
        "features",
        "aside",
    ): "Rows that an ingest could not read or that lack a key or a time, with line, column and reason.",
    (
        "features",
        "labels",
    ): "Queues of rows to label, how far each is, and how far people agree; a labels the rows of the queue.",
    (
        "experiments",
        "runs",
    ): "Training runs: parameters, metrics over steps, files. A run that stops without a word is crashed.",
    ("run", "summary"): "One run: where it came from, its newest values and their course, its parameters.",
    (
        "run",
        "curves",
    ): "Metrics over steps. Training and validation of one kind share a chart; space puts metrics together.",
    ("run", "parameters"): "What the run was given.",
    ("run", "environment"): "The command, the code with what was not committed, and the packages of the run.",
    (
        "run",
        "artifacts",
    ): "Files the run kept, with a look into texts, tables and PNG images; enter opens tables and folders.",
    ("run", "console"): "The end of the text log the run kept.",
    ("run", "system"): "What the machine did while the run ran.",
    ("run", "notes"): "The note of the run, in Markdown; n writes it.",
    ("run", "lineage"): "What the run came from and what came of it; enter opens it.",
    ("compare", "differences"): "Runs side by side, what differs first; a star is the best value of a metric.",
    ("compare", "curves"): "One metric of all these runs over each other.",
    ("compare", "scatter"): "A parameter of these runs against their metrics, a dot per run.",
    ("compare", "code"): "How the code of each run differs from that of the first.",
    (
        "experiment",
        "mattered",
    ): "How much worse a random forest tells the metric of unseen runs without each parameter; shares of one.",
    (
        "experiment",
        "parallel",
    ): "The best runs as lines across their parameters to the metric, the best third in front.",
    ("experiment", "best"): "The best runs by the metric, with what they were given.",
    ("experiments", "experiments"): "Groups of runs that try the same thing.",
    ("registry", "models"): "Names under which versions of a model are kept, with the aliases that point at them.",
    ("registry", "versions"): "Model packages, numbered and hashed, with stage, metrics and where they came from.",
    ("registry", "requests"): "Versions somebody wants in production, and what other people said to it.",
    (
        "registry",
        "maturity",
    ): "Google's levels 0 to 2 and Azure's 0 to 4, from facts in the workspace; missing ones with a command.",
    (
        "version",
        "summary",
    ): "One version: what it is for, signature, metrics beside the champion's, approvals, gate, moves.",
    ("version", "card"): "The model card as everybody reads it; what is not known is said to be missing.",
    ("version", "lineage"): "What the version came from, then what came of it; enter opens the thing.",
    ("version", "notes"): "What people wrote about the version and its model; n adds one.",
    ("diff", "differences"): "What differs between two versions; r counts the changes the other way.",
    (
        "pipelines",
        "pipelines",
    ): "Definitions in pipelines/*.toml: what to train on, how, and when the gate lets it through.",
    ("pipelines", "runs"): "What pipelines did, step by step, with the verdict of the gate.",
    (
        "pipelines",
        "schedules",
    ): "When a pipeline runs by itself: by the clock, on new data, on drift or on worse answers.",
    ("pipelines", "timeline"): "A day of fires back and ahead, blackouts shaded, and why a coming slot will not run.",
    (
        "pipelines",
        "packages",
    ): "Immutable archives of pipelines: definition, code, tests, lock and the report of their test.",
    (
        "pipelines",
        "environments",
    ): "Which package was put into staging or production by whom, and what is active there.",
    ("pipeline", "definition"): "The file of the pipeline; each mistake stands at its line. E edits it.",
    ("pipeline", "packages"): "Immutable archives of this pipeline; D puts one into staging or production.",
    ("pipeline", "environments"): "Where packages of this pipeline were put, and what is active there.",
    ("execution", "steps"): "The steps of a run along its time, live; beside them what each gave and wrote.",
    ("execution", "gate"): "Every check of the gate with its number, its limit and what it rests on.",
    ("execution", "trials"): "The settings that the search of this run tried.",
    ("execution", "origin"): "Why it ran, and what it was made of: snapshots, code, environment, seeds.",
    (
        "serving",
        "deployments",
    ): "Names behind HTTP. Traffic is split over versions by percent; the log keeps every answer.",
    ("serving", "predictions"): "Answered requests with inputs, answer, and the truth once it has been reported.",
    (
        "monitoring",
        "alerts",
    ): "Conditions that hold or held. The same condition counts up one alert instead of raising many.",
    ("monitoring", "monitors"): "What compares the newest traffic of a deployment with what its model was trained on.",
    (
        "monitoring",
        "reports",
    ): "Each check of a monitor: drift per column, errors, latency, and quality where truth is known.",
    (
        "monitoring",
        "columns",
    ): "Every column of the newest reports: how far it moved in its limits, and all figures of it.",
    (
        "monitoring",
        "performance",
    ): "How right each deployment is, from labels with an interval, and estimated where labels are missing."
    " The estimate cannot see concept drift.",
    ("monitoring", "fairness"): "Gaps between the groups of sensitive inputs; the interval says what is surely there.",
    ("incident", "story"): "What was seen, who was told, what was trained, and how it ended, in order.",
    ("incident", "what"): "The alert itself.",
    (
        "incident",
        "moved",
    ): "The inputs that moved, those that matter most first: how, since when, where, and what they did.",
    ("incident", "right"): "How right the model is, from labels and estimated, and where it is weakest.",
    (
        "monitoring",
        "outliers",
    ): "Answered rows unlike the training data, newest first. p is the share of training rows that are as odd;"
    " p near the same by the distance to the nearest training rows, for looks that asked for it.",
    (
        "monitoring",
        "clients",
    ): "How each token asked at the last look. A pattern like a search for inputs that fool the model (evasion), or like"
    " a copy being made of it (extraction), is a warning; flood is a client that is most of the traffic.",
    ("monitoring", "rules"): "Alerts of your own: a series above, below, absent or changed for a while.",
    ("monitoring", "channels"): "Ways to tell people of alerts, and what each was told.",
    (
        "monitoring",
        "deliveries",
    ): "What people were told, newest first; what waits is tried again, what failed was given up.",
    (
        "monitoring",
        "maintenance",
    ): "Times in which nobody is told of alerts. They are raised and listed all the same.",
    ("system", "hardware"): "The machine now and over the last half hour, as the daemon recorded it.",
    ("system", "processes"): "What runs on this machine as a tree, with the run, job or deployment it works for.",
    (
        "system",
        "gpus",
    ): "Every GPU with who is on it and all it says of itself; what it does not say is there with the reason.",
    ("system", "loads"): "What each deployment, run and job takes of processors, memory and GPUs, kept for 90 days.",
    ("system", "jobs"): "Work in processes of their own: pipelines, ingests, checks, compaction; with logs.",
    ("system", "audit"): "Who changed what, when and why. Entries are chained by hashes, so a missing one shows.",
}

WORDS: dict[str, str] = {
    "PSI": "Population stability index: how far a distribution moved. Under 0.1 is noise, over 0.25 a change to look at.",
    "KS": "Kolmogorov-Smirnov distance: the widest gap between two distributions, 0 to 1.",
    "p": "p-value of an outlier: the share of training rows that are at least as odd. Of rows like those, 1 % are below 0.01.",
    "p50, p95, p99": "Half, 95 % and 99 % of the requests were answered within that many milliseconds.",
    "Busy": "The share of the time of a deployment's workers that is in use; each can use one processor.",
    "MIG": "A GPU cut into instances with memory of their own; the driver says no utilisation of these.",
    "Niceness": "From -20 to 19: who is nicer waits longer for a processor when others want it.",
    "Champion": "The alias of the version in production; pipelines compare new ones with it.",
    "Gate": "The checks a new version has to pass before it is registered and deployed.",
    "Drift": "Inputs or answers no longer look like those the model was trained on.",
    "Concept": "The link between inputs and truth itself changed, so the model errs although the inputs look the same.",
    "Overfitting, stalled, diverged, silent": "Validation gets worse while training does not; nothing gets better any more;"
    " values are no numbers or run away; a run that logged regularly says nothing.",
    "Set aside": "Rows of a file that could not be read as the table says; they are kept with the reason.",
    "Missed": "A fire that was due while the daemon was down; the schedule says whether it is made up for.",
    "RMSLE, MAE, AUC": "Errors in log scale, mean absolute error; area under the curve, where 0.5 is guessing and 1 perfect.",
}

_SPOKEN_OF = {
    "overview": ("Drift", "p50, p95, p99"),
    "features": ("Set aside",),
    "experiments": ("RMSLE, MAE, AUC", "Overfitting, stalled, diverged, silent"),
    "run": ("Overfitting, stalled, diverged, silent", "RMSLE, MAE, AUC"),
    "registry": ("Champion", "Gate"),
    "version": ("Champion", "Gate", "RMSLE, MAE, AUC"),
    "pipelines": ("Gate", "Champion", "Missed"),
    "pipeline": ("Gate", "Champion"),
    "execution": ("Gate", "Champion", "RMSLE, MAE, AUC"),
    "serving": ("p50, p95, p99",),
    "monitoring": ("PSI", "KS", "Drift", "Concept", "p"),
    "incident": ("PSI", "Drift", "Concept"),
    "system": ("Busy", "MIG", "Niceness"),
}


def lines(desk: str, section: str, width: int) -> list[Line]:
    """The text of a pane: what it shows, then the words that its desk uses."""
    room = max(20, width - 2)
    out: list[Line] = [line(f" {piece}") for piece in wrap(PANES.get((desk, section), ""), room)]
    for word in _SPOKEN_OF.get(desk, ()):
        out += [(), line((f" {word}", "title")), *(line(f" {piece}") for piece in wrap(WORDS[word], room))]
    return out
