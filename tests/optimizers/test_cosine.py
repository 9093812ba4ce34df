"""The cosine transform by products and by FFT, against SciPy's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.fft

from nst_jax.optimizers import cosine


@pytest.mark.parametrize("by_products", [True, False], ids=["products", "FFT"])
@pytest.mark.parametrize("shape", [(1, 12, 16, 3), (1, 7, 5, 3), (1, 40, 1, 3)])
def test_the_transform_is_scipys_and_its_inverse_undoes_it(shape, by_products, monkeypatch):
    monkeypatch.setattr(cosine, "MOST_BY_PRODUCTS", 1024 if by_products else 0)
    image = jnp.asarray(np.random.default_rng(0).random(shape), jnp.float32)
    expected = scipy.fft.dctn(np.asarray(image, np.float64), axes=(1, 2, 3), norm="ortho")
    found, again = jax.jit(lambda x: ((y := cosine.transform(x)), cosine.inverse(y)))(image)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(again, image, atol=1e-5)
