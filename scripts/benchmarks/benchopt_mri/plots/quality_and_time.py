from benchopt import BasePlot


class Plot(BasePlot):
    """PSNR against seconds: iterations as curves, trained models as points."""

    name = "quality and time"
    type = "scatter"
    options = {"dataset": ..., "objective": ...}

    def plot(self, df, dataset, objective):
        rows = df[
            (df["dataset_name"] == dataset)
            & (df["objective_name"] == objective)
        ]
        traces = []
        for solver, own in rows.groupby("solver_name"):
            medians = own.groupby("stop_val")[["time", "objective_psnr"]]
            medians = medians.median().sort_values("time")
            traces.append(
                {
                    "x": medians["time"].tolist(),
                    "y": medians["objective_psnr"].tolist(),
                    "label": solver,
                    **self.get_style(solver),
                }
            )
        return traces

    def get_metadata(self, df, dataset, objective):
        return {
            "title": f"{objective}\nData: {dataset}",
            "xlabel": "seconds",
            "ylabel": "PSNR [dB]",
        }
