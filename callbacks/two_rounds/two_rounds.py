import pathlib
import shutil

import keras

from loupe_tf.callbacks.backup_and_restore import BackupAndRestore
from loupe_tf.callbacks.two_rounds.best_weights import BestWeights
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


class TwoRounds:
    """The two rounds of a model in a folder, as `fit_two_rounds` says.

    Args:
        trainer: What `trainer_of` makes of the model.
        feed: `Feed`.
        folder: `RunFolder`.
        scratch: Path of a folder of this process alone. Of several workers,
            all but one write there.
        backs_up: Boolean. Whether to keep a backup of every epoch.
        monitor, mode, validation_freq, stop_patience, verbose: As those of
            `fit_two_rounds`.
    """

    def __init__(
        self,
        trainer,
        feed,
        folder,
        scratch,
        backs_up,
        monitor,
        mode,
        validation_freq,
        stop_patience,
        verbose,
    ):
        self.trainer = trainer
        self.model = trainer.model
        self.feed = feed
        self.folder = folder
        self.own = folder.path if folder.writes else pathlib.Path(scratch)
        self.backs_up = backs_up and folder.writes
        self.monitor = monitor
        self.mode = mode
        self.validation_freq = validation_freq
        self.stop_patience = stop_patience
        self.verbose = verbose if trainer.is_chief else 0

    def run(self, epochs, before, both, own):
        """Train what has not been trained yet, and load the best weights.

        Args:
            epochs: Pair of integers, the most epochs of each round.
            before: List of the callbacks that add what others monitor.
            both: List of the callbacks of both rounds.
            own: Pair of lists, those of each round.

        Returns:
            The record of round two; see `round_record`.
        """
        record, again = NOTHING, False
        for number in (1, 2):
            last, record = record, read_round(self.folder, number)
            # What follows a round that is trained again is trained again.
            again = again or record is None
            if again:
                load_best(self.model, self.folder, last)
                callbacks = self._callbacks(
                    number, last, before, both, own[number - 1]
                )
                record = self._train(
                    number, last, epochs[number - 1], callbacks
                )
        load_best(self.model, self.folder, record)
        return record

    def _callbacks(self, number, last, before, both, own):
        """All callbacks of a round but the backup, in their order."""
        checkpoint = BestWeights(
            self.own / WEIGHTS[number], self.monitor, self.mode, last["best"]
        )
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
        # Before any worker reads what the chief has written.
        self.trainer.wait_for_all()
        return record
