"""What can be done on the desk of the machine."""

from __future__ import annotations

from mlops_tui.tui import rules
from mlops_tui.tui.action import Action

SYSTEM: tuple[Action, ...] = (
    Action("system.span", "Longer or shorter history", ("d",), "system", "hardware", view=True, footer="span",
           cli="mlops hardware history --since 24h",
           help="Half an hour, six hours, a day, a week, 30 days, 90 days, and half an hour again."),
    Action("system.fold", "Fold the branch", ("f",), "system", "processes", "a process", view=True, footer="fold",
           cli="mlops hardware processes --tree",
           help="Hide what is below the process and add it up in its row; again: show it."),
    Action("system.fold_all", "Fold everything", ("F",), "system", "processes", view=True, cli="mlops hardware processes --tree",
           help="Leave the tops of the tree and what is right below them; again: show the whole tree."),
    Action("system.environment", "The environment of the process", ("E",), "system", "processes", "a process", view=True,
           cli="mlops hardware process {pid} --environment", help="What it began with; values that look like secrets are hidden."),
    Action("system.interrupt", "Interrupt the process", ("i",), "system", "processes", "a process",
           "mlops hardware kill {pid} --signal int --tree", danger=True, rules=(rules.of_run_or_job,),
           help="As ctrl+c does, to it and all below it. Runs and jobs only."),
    Action("system.hold", "Hold the process, or let it go on", ("h",), "system", "processes", "a process",
           "mlops hardware kill {pid} --signal stop --tree", rules=(rules.of_run_or_job,),
           undo="mlops hardware kill {pid} --signal cont --tree",
           help="It stands still with all it holds, and goes on from there. Runs and jobs only."),
    Action("system.end", "Ask the process to end", ("t",), "system", "processes", "a process",
           "mlops hardware kill {pid} --tree", danger=True, rules=(rules.of_run_or_job,), footer="end",
           help="SIGTERM to it and all below it; only processes of runs and jobs of this workspace."),
    Action("system.kill", "Kill the process", ("K",), "system", "processes", "a process",
           "mlops hardware kill {pid} --signal kill --tree", danger=True, rules=(rules.of_run_or_job,),
           help="SIGKILL to it and all below it: it cannot save anything."),
    Action("system.nice", "Change the niceness of the process", ("n",), "system", "processes", "a process",
           "mlops hardware nice {pid} 10", undo="mlops hardware nice {pid} 0", rules=(rules.of_run_or_job,), footer="nice",
           help="How much of the processors it gets when others want them."),
    Action("system.log", "Follow the job's log", ("l",), "system", "jobs", "a job", "mlops jobs logs {id}", view=True,
           footer="log", help="The log of the job as it is written."),
    Action("system.cancel", "Cancel the job", ("c",), "system", "jobs", "a job", "mlops jobs cancel {id}",
           help="End its whole process tree.", undo="mlops jobs retry {id}",
           danger=True, rules=(rules.state_in("queued", "claimed", "running"),), footer="cancel"),
    Action("system.retry", "Run the job again", ("t",), "system", "jobs", "a job", "mlops jobs retry {id}",
           help="Queue it once more with the same inputs.", undo="mlops jobs cancel {id}",
           rules=(rules.state_in("failed", "cancelled", "lost"),), footer="retry"),
    Action("system.verify", "Check the hash chain of the audit log", ("V",), "system", "audit", view=True,
           cli="mlops audit verify", footer="verify", help="Recompute every hash; a changed or missing entry shows."),
)  # fmt: skip
