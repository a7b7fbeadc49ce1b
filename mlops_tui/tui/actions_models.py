"""What can be done on the desk of models and on the pages in front of it."""

from __future__ import annotations

from mlops_tui.tui import rules
from mlops_tui.tui.action import Action


def _of_versions(desk: str, section: str) -> tuple[Action, ...]:
    """What can be done to a model version, from the list and on its own page alike."""
    on = "a model version"
    return (
        Action(f"{desk}.promote", "Promote: stage or alias", ("p",), desk, section, on, "mlops models promote {ref} --to STAGE",
               danger=True, footer="promote", undo="mlops models rollback {name}",
               help="Move a version to production, staging, archived or an alias; its charter is shown beside the question."),
        Action(f"{desk}.ask", "Ask for approval", ("a",), desk, section, on, "mlops models ask {ref} --why WHY",
               footer="" if section else "ask", help="Ask others to agree that it goes to production.",
               undo="mlops models withdraw {ref}"),
        Action(f"{desk}.decide", "Decide about its request", ("d",), desk, section, on, "mlops models approve {ref}", danger=True,
               footer="" if section else "decide",
               help="Approve, also with promotion, refuse with a reason, or withdraw your own request."),
        Action(f"{desk}.note", "Write a note", ("n",), desk, section, on, "mlops models note {ref} TEXT",
               footer="" if section else "note", help="A comment that everybody sees, kept with who and when; Markdown."),
        Action(f"{desk}.describe", "Say what it is for", ("D",), desk, section, on, "mlops models describe {ref} TEXT",
               help="One sentence that heads the model card.", undo="mlops models describe {ref} TEXT"),
        Action(f"{desk}.retire", "Retire", ("t",), desk, section, on, "mlops models retire {ref} --replacement REF --yes", danger=True,
               help="Archive a version without traffic; who replaces it and what callers change is noted with both.",
               undo="mlops models promote {ref} --to staging"),
        Action(f"{desk}.export", "Export", ("E",), desk, section, on, "mlops models export {ref} --format FORMAT --to FOLDER",
               help="Write it as ONNX, as container files or as an MLflow model into a new folder."),
    )  # fmt: skip


MODELS: tuple[Action, ...] = (
    *_of_versions("registry", "versions"),
    *_of_versions("version", ""),
    Action("registry.compare", "Compare two versions", ("c",), "registry", "versions", "a model version", "mlops models diff {ref} OTHER",
           view=True, footer="compare", help="What differs between the two marked versions, or the marked and the selected one."),
    Action("version.compare", "Compare with the champion", ("c",), "version", "", "a model version",
           "mlops models diff {name}@champion {ref}", view=True, footer="compare",
           help="What differs from the champion; of the champion itself, from the version before it."),
    Action("version.health", "Check that it would serve", ("h",), "version", "", "a model version", "mlops models health {ref}",
           view=True, footer="health", help="Every hash, the libraries, and the stored requests answered by a fresh process."),
    Action("diff.turn", "The other way round", ("r",), "diff", "", "two versions", "mlops models diff {right} {left}", view=True,
           footer="turn round", help="Left becomes right, so that changes are counted the other way."),
    Action("registry.require", "Require approvals", ("A",), "registry", "models", "a model", "mlops models require {name} --approvals N",
           footer="approvals", help="How many other people have to agree before a version goes to production.",
           undo="mlops models require {name} --approvals N"),
    Action("registry.remark", "Write a note about the model", ("n",), "registry", "models", "a model", "mlops models note {name} TEXT",
           footer="note", help="A comment that everybody sees; Markdown."),
    Action("registry.answer", "Decide about the request", ("d",), "registry", "requests", "a request", "mlops models approve {ref}",
           danger=True, footer="decide", help="Approve, also with promotion, refuse with a reason, or withdraw your own.",
           rules=(rules.state_in("open"),)),
    Action("registry.rollback", "Roll the champion back to the version before it", ("b",), "registry",
           "models", "a model", "mlops models rollback {name}", danger=True, footer="roll back",
           help="The version that was champion before is champion again.",
           undo="mlops models promote {name}/{champion} --to production"),
)  # fmt: skip
