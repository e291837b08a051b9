import dataclasses
import pathlib
import shutil

import keras

from loupe_tf.callbacks.backup_and_restore import BackupAndRestore
from loupe_tf.callbacks.two_rounds.best_weights import BestWeights
from loupe_tf.callbacks.two_rounds.feed import Feed
from loupe_tf.callbacks.two_rounds.one_direction import OneDirection
from loupe_tf.callbacks.two_rounds.rates_in_logs import RatesInLogs
from loupe_tf.callbacks.two_rounds.round_record import (
    NOTHING,
    WEIGHTS,
    load_best,
    read_round,
    round_record,
    write_round,
)
from loupe_tf.distribution.multi_worker_trainer import MultiWorkerTrainer
from loupe_tf.distribution.replicas import scope_of
from loupe_tf.distribution.trainer import OneProcessTrainer
from loupe_tf.run_folder import RunFolder


@dataclasses.dataclass
class TwoRounds:
    """Trains a model in the two rounds of `fit_two_rounds`.

    Args:
        trainer: The result of `trainer_of(model)`.
        feed: `Feed`.
        folder: `RunFolder`.
        weights: Path of the folder in which this process saves weights. All
            workers but one use a different folder from `folder`.
        backs_up: Boolean. Whether this process keeps a backup of every epoch.
        monitor, mode, validation_freq, stop_patience, verbose: As for
            `fit_two_rounds`.
    """

    trainer: OneProcessTrainer | MultiWorkerTrainer
    feed: Feed
    folder: RunFolder
    weights: pathlib.Path
    backs_up: bool
    monitor: str
    mode: str
    validation_freq: int
    stop_patience: int
    verbose: int | str

    def run(self, epochs, before, both, own):
        """Train the unfinished rounds, then load the best weights.

        Args:
            epochs: Pair of integers, the maximum epochs of each round.
            before: List of callbacks that add quantities for others to
                monitor.
            both: List of the callbacks of both rounds.
            own: Pair of lists, the callbacks of each round.

        Returns:
            Dict of lists, the logs of all epochs.
        """
        model = self.trainer.model
        with scope_of(model):
            if not model.optimizer.built:
                model.optimizer.build(model.trainable_variables)
        record, again = NOTHING, False
        for number in (1, 2):
            last, record = record, read_round(self.folder, number)
            # If a round is trained again, so are the rounds after it.
            again = again or record is None
            if again:
                load_best(model, self.folder, last)
                callbacks = self._callbacks(
                    number, last, before, both, own[number - 1]
                )
                record = self._train(
                    number, last, epochs[number - 1], callbacks
                )
        load_best(model, self.folder, record)
        return record["history"]

    def _callbacks(self, number, last, before, both, own):
        """All callbacks of a round except the backup, in order."""
        path = self.weights / WEIGHTS[number]
        checkpoint = BestWeights(path, self.monitor, self.mode, last["best"])
        stopping = keras.callbacks.EarlyStopping(
            self.monitor, mode=self.mode, patience=self.stop_patience
        )
        # The checkpoint comes before the slope is raised.
        after = [RatesInLogs(), *both, checkpoint, stopping, *own]
        one = OneDirection(self.monitor, self.mode, self.validation_freq, after)
        return [*before, one, *after]

    def _train(self, number, last, epochs, callbacks):
        """Train a round; return its record."""
        backup = BackupAndRestore(
            self.folder / f"round_{number}", callbacks, save=self.backs_up
        )
        self.trainer.fit(
            self.feed.batches,
            validation_data=self.feed.validation_data,
            validation_batch_size=self.feed.validation_batch_size,
            validation_freq=self.validation_freq,
            initial_epoch=last["epochs"],
            epochs=last["epochs"] + epochs,
            # The backup comes last, when all counters have their values.
            callbacks=[*callbacks, backup],
            verbose=self.verbose,
        )
        (checkpoint,) = (c for c in callbacks if isinstance(c, BestWeights))
        record = round_record(number, last, backup.history, checkpoint.best)
        record = write_round(self.folder, number, record)
        if self.folder.writes:
            shutil.rmtree(backup.backup_dir, ignore_errors=True)
        # Wait before any worker reads the files of the chief.
        self.trainer.wait_for_all()
        return record
