# `make demo` and `make test` need only make and Python ≥ 3.10: each creates
# the environment in .venv, installs what it needs there, and runs. A second
# call reuses the environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# What `make test` runs on: `make test BACKENDS=torch` for another.
BACKENDS ?= tensorflow jax
# The CPU build's version; a plain `torch` brings gigabytes of CUDA along.
TORCH ?= torch==2.13.0
# fastMRI's package, to agree with; it asks for torchvision, which its loader
# and transforms do without.
FASTMRI := fastmri==0.3.0
FASTMRI_NEEDS := "pytorch-lightning<3" "torchmetrics<2" "pandas<4" \
	"xmltodict<2" "PyYAML<7" "runstats<3" "requests<3"
# To agree with: tests/agreement/test_finufft.py and test_mri_nufft.py
FINUFFT := "finufft>=2.3,<3" "mri-nufft>=1.5,<1.6"
# Tests of what must run on every backend; the others need TensorFlow.
BACKEND_TESTS := tests/layers tests/samplers tests/models tests/callbacks \
	tests/regimes \
	tests/test_fourier.py \
	tests/distribution/test_check_fft.py \
	tests/reconstruction/test_network.py tests/operators \
	tests/fixed_point \
	tests/trajectories/test_projection.py \
	tests/trajectories/test_feasible.py \
	tests/posterior \
	tests/test_own_reconstructor.py \
	tests/test_losses.py tests/metrics tests/test_export.py
# XLA compiles these for longer than they run: `make test-all` has them on JAX.
LATER_ON_JAX := tests/callbacks/test_keep_contraction.py \
	tests/callbacks/two_rounds/test_fit.py \
	tests/fixed_point/test_gradients.py \
	tests/fixed_point/test_solver.py \
	tests/layers/test_learned_positions.py \
	tests/layers/test_sample_trajectory.py \
	tests/models/test_coils.py \
	tests/models/test_contracting_cnn.py \
	tests/models/test_curves.py \
	tests/models/test_deep_equilibrium.py \
	tests/models/test_encoder_decoder.py \
	tests/models/test_fastmri_unet.py \
	tests/models/test_freeze_mask.py \
	tests/models/test_image_networks.py \
	tests/models/test_load_fastmri_weights.py \
	tests/models/test_measurement.py \
	tests/models/test_mwcnn.py \
	tests/models/test_ncpdnet.py \
	tests/models/test_networks.py \
	tests/models/test_norm_unet.py \
	tests/models/test_penalized_descent.py \
	tests/models/test_score_network.py \
	tests/models/test_sensitivity_maps.py \
	tests/models/test_u_resnet.py \
	tests/models/test_unrolled.py \
	tests/models/test_xpdnet.py \
	tests/operators/test_density_compensation.py \
	tests/operators/test_non_uniform.py \
	tests/operators/test_toeplitz.py \
	tests/posterior/test_chains.py \
	tests/posterior/test_flow.py \
	tests/posterior/test_map_estimate.py \
	tests/posterior/test_sample.py \
	tests/posterior/test_tempered.py \
	tests/regimes/test_distillation.py \
	tests/regimes/test_from_scans.py \
	tests/regimes/test_k_band.py \
	tests/regimes/test_regime.py \
	tests/regimes/test_score_matching.py \
	tests/test_export.py \
	tests/test_own_reconstructor.py
PARALLEL := -n 2 --dist worksteal
# Tests compile much and compute little.
XLA_FAST := --xla_backend_optimization_level=0 \
	--xla_llvm_disable_expensive_passes=true
# What JAX has compiled, for the other worker and the next run.
JAX_CACHE := JAX_COMPILATION_CACHE_DIR="$(abspath $(VENV))/jax" \
	JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0 \
	JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES=-1
# Each trains its whole experiment in small.
SMOKE := reproduce_4s mask_transfer reproduce_drop_rates \
	reproduce_fastmri_unet reproduce_shine iterations_at_test_time \
	reproduce_xpdnet reproduce_unseen \
	reproduce_posterior reproduce_k_band learn_mask_from_scans \
	reproduce_self_supervision reproduce_ncpdnet evaluate_challenge \
	train_zoo reproduce_sparkling \
	reproduce_learned_trajectories
BEAM_TESTS := tests/datasets/building/test_volume_builder.py \
	tests/cli/test_build.py

# Two at a time.
define smoke
rm -rf $(VENV)/smoke
echo $(1) | xargs -n 1 -P 2 sh -c 'TF_NUM_INTRAOP_THREADS=1 \
	$(BIN)/python scripts/$$1.py --preset smoke \
	--data-dir $(VENV)/smoke/$$1/data --out $(VENV)/smoke/$$1' smoke
endef

export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: demo env test test-tensorflow test-jax test-torch test-all lint docs gallery \
	results clean

demo: $(VENV)/.demo
	$(BIN)/loupe-tf train --demo

env: $(VENV)/.test

test: $(VENV)/.test lint $(BACKENDS:%=test-%)

# The fast tests on one backend; TensorFlow takes all of them.
# A thread for each worker: with more, the two wait for each other.
test-tensorflow: $(VENV)/.test
	TF_NUM_INTRAOP_THREADS=1 XLA_FLAGS="$(XLA_FAST)" \
		KERAS_BACKEND=tensorflow $(BIN)/pytest $(PARALLEL) -m "not slow"

test-jax: $(VENV)/.test
	XLA_FLAGS="$(XLA_FAST)" $(JAX_CACHE) KERAS_BACKEND=jax \
		$(BIN)/pytest $(PARALLEL) -m "not slow" $(BACKEND_TESTS) \
		$(LATER_ON_JAX:%=--ignore=%)

test-torch: $(VENV)/.all
	KERAS_BACKEND=torch $(BIN)/pytest $(PARALLEL) -m "not slow" $(BACKEND_TESTS)

# Apache Beam and MkDocs are there by then: their tests are not skipped.
test-all: test $(VENV)/.all test-torch
	KERAS_BACKEND=tensorflow $(BIN)/pytest -m "not slow" $(BEAM_TESTS)
	TF_NUM_INTRAOP_THREADS=1 KERAS_BACKEND=tensorflow \
		$(BIN)/pytest $(PARALLEL) -m slow
	XLA_FLAGS="$(XLA_FAST)" $(JAX_CACHE) KERAS_BACKEND=jax \
		$(BIN)/pytest $(PARALLEL) $(LATER_ON_JAX) tests/samplers/test_learned_masks.py
	$(call smoke,$(SMOKE))

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The site, in build/site; nothing is fetched once the extra is installed.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# The figures of docs/gallery.md, by the commands of that page: some minutes.
gallery: $(VENV)/.demo
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python scripts/make_gallery.py

# The table of docs/results/all.md, from the records beside it.
results: $(VENV)/.demo
	$(BIN)/python scripts/results_table.py --write

clean:
	rm -rf $(VENV) build dist *.egg-info

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "Python 3.10 or newer is needed; name one with PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The stamps are older than setup.cfg when its requirements have changed.
$(VENV)/.demo: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[brain]"
	touch $@

$(VENV)/.test: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[test]"
	touch $@ $(VENV)/.demo

$(VENV)/.docs: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[docs]"
	touch $@

$(VENV)/.all: setup.cfg Makefile | $(VENV)/.test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		-e ".[test,beam,benchmark,docs]" "$(TORCH)" $(FASTMRI_NEEDS) $(FINUFFT)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--no-deps "$(FASTMRI)"
	touch $@
