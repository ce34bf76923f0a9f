"""Run the trials of a search, several at once; whatever stops it, the next call goes on.

This process alone draws values and writes the journal. A trial's training is a run like any other,
in a process of its own, and all that is known of it is read from its run folder. So a trial that
was at work when the search was killed is found in the journal without an end, and taken up: its run
goes on from its checkpoint, is waited for where it still works, or has ended in the meantime.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from signal import SIGTERM

import optuna
from optuna.trial import TrialState

from mtbert.config.load import load_config
from mtbert.console.board import Line, StudyBoard
from mtbert.console.interrupt import watch_interruption
from mtbert.data.completion import completed
from mtbert.errors import TrainingError, UserError
from mtbert.io import atomic
from mtbert.runs.evaluations import best_score, evaluations
from mtbert.studies.engines.base import Engine
from mtbert.studies.fingerprint import Fingerprints
from mtbert.studies.folder import RunStatus, Study, run_state
from mtbert.studies.grid import planned_run
from mtbert.studies.jobs import last_step, why_failed, with_threads
from mtbert.studies.search.active import ENDED, ActiveTrial, tidy
from mtbert.studies.search.journal import open_journal, quiet
from mtbert.studies.search.plan import Search, keep_search
from mtbert.studies.search.pruning import PRUNERS, scores_by_epoch, why_prune
from mtbert.studies.search.samplers import draw, make_sampler
from mtbert.studies.search.trials import REASON, RUN, SearchTrial, best_trial, trials_of

__all__ = ["tune"]

_POLL_SECONDS = 0.2


def tune(
    search: Search, folder: Path, trials: int, workers: int, engine: Engine
) -> list[SearchTrial]:
    """Run so many trials, those of earlier calls included; all of them, in order.

    Raises:
        UserError: the folder cannot be used, or holds another search.
        TrainingError: no trial has a score.
        KeyboardInterrupt: asked to stop; active trials have saved a checkpoint.
    """
    study, fingerprints = Study(folder), Fingerprints()
    with study.locked(), watch_interruption() as interruption, quiet():
        keep_search(search, folder, fingerprints)
        tuner = _Tuner(search, study, fingerprints, engine)
        coming = tuner.coming(trials)
        try:
            while True:
                while len(tuner.active) < workers and not interruption.requested:
                    if (trial := next(coming, None)) is None:
                        break
                    tuner.start(trial)
                if not tuner.active:
                    break
                if interruption.requested:
                    tuner.stop()
                tuner.look()
                tuner.show(trials)
                time.sleep(_POLL_SECONDS)
        finally:
            tuner.kill()
            tuner.board.close()
        found = trials_of(tuner.journal)
    if interruption.requested:
        raise KeyboardInterrupt(f"{folder}: stopped; the same command goes on")
    if best_trial(found, lower_is_better=search.lower_is_better) is None:
        reasons = dict.fromkeys(t.reason for t in found if t.reason)
        raise TrainingError(f"none of {len(found)} trials has a score\n  " + "\n  ".join(reasons))
    return found


class _Tuner:
    """The trials at work, and what is done with them."""

    def __init__(
        self, search: Search, study: Study, fingerprints: Fingerprints, engine: Engine
    ) -> None:
        self._search, self._study, self._fingerprints = search, study, fingerprints
        self._launch, self._environment = engine.launch, with_threads(engine.threads)
        self.journal = open_journal(
            study.folder,
            make_sampler(search.sampler, search.space, search.settings.seed),
            PRUNERS[search.pruning],
            lower_is_better=search.lower_is_better,
        )
        self.active: list[ActiveTrial] = []
        self.board = StudyBoard()
        self._stopping = False

    def coming(self, number: int) -> Iterator[optuna.Trial]:
        """The trials to run: those without an end, then new ones until there are so many."""
        for found in self.journal.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            yield optuna.Trial(self.journal, found._trial_id)
        while len(self.journal.get_trials(deepcopy=False)) < number:
            yield self.journal.ask()

    def start(self, trial: optuna.Trial) -> None:
        """Draw a trial's values and let it work; if they are refused together, it has failed."""
        draw(trial, self._search.space)
        drawn = self._search.space.overrides(trial.params)
        self.board.say(f"trial {trial.number}: {', '.join(drawn)}")
        try:
            overrides = [*self._search.overrides, *drawn]
            settings = completed(load_config(self._search.config, overrides))
            run = planned_run(f"t{trial.number}", settings, self._fingerprints)
        except UserError as error:
            self._end(trial, TrialState.FAIL, reason=str(error))
            return
        equal = (other.path for other in self.active if other.run.key == run.key)
        active = ActiveTrial(trial, run, next(equal, self._study.path(run)))
        trial.set_user_attr(RUN, active.path.name)
        self.active.append(active)

    def look(self) -> None:
        """Let trials work whose folder is free, and end those that are done or not worth it."""
        for active in list(self.active):
            if active.job is None:
                self._take(active)
            self._judge(active)
            code = None if active.job is None else active.job.poll()
            if code is None:
                continue
            if run_state(active.path).status is RunStatus.BUSY:
                active.job = None  # refused: what a killed search had just started was faster
            else:
                self._judge(active)  # what it logged since
                self._collect(active, code)

    def _take(self, active: ActiveTrial) -> None:
        """Let a trial work, unless an equal one is before it or its run is still at work."""
        if next(other for other in self.active if other.path == active.path) is not active:
            return
        status = run_state(active.path).status
        if status is RunStatus.BUSY:
            return
        if status is RunStatus.FINISHED or active.pruned:
            active.job = ENDED
        else:
            active.job = self._launch(self._study.prepare(active.run), self._environment)

    def _judge(self, active: ActiveTrial) -> None:
        """Judge the epochs that are new, and stop the trial if it is not worth going on."""
        for epoch, score in scores_by_epoch(evaluations(active.path)).items():
            if epoch > active.epoch and not active.pruned:
                active.epoch = epoch
                active.pruned = why_prune(self.journal, active.trial, epoch, score)
                if active.pruned and active.job is not None:
                    active.job.send_signal(SIGTERM)

    def _collect(self, active: ActiveTrial, code: int) -> None:
        """End a trial whose job has ended; if it was asked to stop, it stays without an end."""
        self.active.remove(active)
        path, trial = active.path, active.trial
        score = best_score(evaluations(path))
        if active.pruned:
            atomic.write_json(path / "pruned.json", {"reason": active.pruned})
            self._end(trial, TrialState.PRUNED, reason=active.pruned)
        elif code == 0 and run_state(path).status is RunStatus.FINISHED:
            if score is None:
                self._end(trial, TrialState.FAIL, reason="its score is undefined")
            else:
                self._end(trial, TrialState.COMPLETE, score)
        elif not self._stopping:
            reason = why_failed(path, code)
            atomic.write_json(path / "failed.json", {"code": code, "reason": reason})
            self._end(trial, TrialState.FAIL, reason=reason)

    def _end(
        self, trial: optuna.Trial, state: TrialState, score: float | None = None, reason: str = ""
    ) -> None:
        """Write a trial's end into the journal, and remove what is not needed any more."""
        if reason:
            trial.set_user_attr(REASON, reason)
        self.journal.tell(trial, score, state)
        best = self.best
        told = reason if score is None else f"{score:.4f}"
        here = score is not None and best is not None and best.number == trial.number
        self.board.say(f"trial {trial.number}: {told}{' (best so far)' if here else ''}")
        keep = {active.path.name for active in self.active}
        tidy(self._study.folder / "runs", trials_of(self.journal), best, keep)

    @property
    def best(self) -> SearchTrial | None:
        """The best trial so far."""
        return best_trial(trials_of(self.journal), lower_is_better=self._search.lower_is_better)

    def stop(self) -> None:
        """Ask active trials, once, to save a checkpoint and stop."""
        if self._stopping:
            return
        self._stopping = True
        self.board.say("stopping: running trials save where they are")
        self.active = [active for active in self.active if active.job is not None]
        self._signal()

    def kill(self) -> None:
        """Stop what is still active at the end; the next call takes it up."""
        self._signal()
        for active in self.active:
            if active.job is not None:
                active.job.wait()

    def _signal(self) -> None:
        for active in self.active:
            if active.job is not None:
                active.job.send_signal(SIGTERM)

    def show(self, trials: int) -> None:
        """Show progress: counts, and how far each trial is."""
        if self._stopping:
            return
        lines = [
            Line(f"trial {a.trial.number}", last_step(a.path), a.run.steps,
                 time.monotonic() - a.started)
            for a in self.active
        ]  # fmt: skip
        counts = Counter(trial.outcome for trial in trials_of(self.journal))
        told = ", ".join(f"{counts[outcome]} {outcome}" for outcome in counts)
        self.board.show(f"{trials} trials: {told}", None, lines)
