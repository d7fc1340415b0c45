//! Groups of heads by their mean attention distance: DBSCAN on scalars (docs/methods.md, section 1.2), and what it is compared with.
//!
//! Everything starts from one neighbour table, so that a table computed on a device (`kernels::density`) and one
//! computed here lead to the same groups.

/// Which heads of one layer lie within `eps` of each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbours {
    heads: usize,
    /// `[heads * heads]`, row-major; a head is its own neighbour.
    near: Vec<bool>,
}

impl Neighbours {
    /// Compares all pairs of `distance` (`[heads]`, px); a difference of exactly `eps` is within.
    pub fn from_distances(distance: &[f32], eps: f32) -> Self {
        let near = distance.iter().flat_map(|a| distance.iter().map(move |b| (a - b).abs() <= eps)).collect();
        Self { heads: distance.len(), near }
    }

    /// Wraps a table `[heads * heads]` that a device computed; `None` when its length is no square.
    pub fn from_table(near: Vec<bool>) -> Option<Self> {
        let heads = near.len().isqrt();
        (heads * heads == near.len()).then_some(Self { heads, near })
    }

    /// Heads of the layer.
    pub fn heads(&self) -> usize {
        self.heads
    }

    /// Whether two heads are neighbours.
    pub fn are_near(&self, a: usize, b: usize) -> bool {
        self.near[a * self.heads + b]
    }

    /// Neighbours of a head, itself included.
    pub fn count(&self, head: usize) -> usize {
        (0..self.heads).filter(|&other| self.are_near(head, other)).count()
    }
}

/// DBSCAN: groups of heads, each ascending.
///
/// A head with at least `min_heads` neighbours (itself included) is a core head; core heads within reach of each other
/// are one group. A border head, near a core head but none itself, joins the group that is found first when heads are
/// visited by index, as in the original algorithm. A noise head is a group of its own. With `min_heads = 1` the result
/// is that of sorting the heads and cutting at every gap larger than `eps`.
pub fn density_groups(neighbours: &Neighbours, min_heads: usize) -> Vec<Vec<usize>> {
    let heads = neighbours.heads();
    let is_core: Vec<bool> = (0..heads).map(|head| neighbours.count(head) >= min_heads).collect();
    let mut group_of = vec![None; heads];
    let mut groups = 0;
    for start in 0..heads {
        if !is_core[start] || group_of[start].is_some() {
            continue;
        }
        group_of[start] = Some(groups);
        let mut reached = vec![start];
        while let Some(core) = reached.pop() {
            for (other, group) in group_of.iter_mut().enumerate() {
                if group.is_none() && neighbours.are_near(core, other) {
                    *group = Some(groups);
                    if is_core[other] {
                        reached.push(other);
                    }
                }
            }
        }
        groups += 1;
    }
    let mut members = vec![Vec::new(); groups];
    for (head, group) in group_of.into_iter().enumerate() {
        match group {
            Some(group) => members[group].push(head),
            None => members.push(vec![head]),
        }
    }
    members
}

/// The comparison with a fixed number of clusters: the best partition into `clusters` groups, each ascending.
///
/// On scalars k-means has an exact answer (groups are runs of the sorted values, found by dynamic programming), so the
/// comparison depends on no random start. At most as many groups as heads.
pub fn k_means_groups(distance: &[f32], clusters: usize) -> Vec<Vec<usize>> {
    let heads = distance.len();
    let clusters = clusters.clamp(1, heads.max(1));
    let mut order: Vec<usize> = (0..heads).collect();
    order.sort_by(|&a, &b| distance[a].total_cmp(&distance[b]).then(a.cmp(&b)));
    let sorted: Vec<f64> = order.iter().map(|&head| f64::from(distance[head])).collect();
    let mut cost: Vec<f64> = (0..=heads).map(|end| squared_spread(&sorted[..end])).collect();
    let mut starts = vec![vec![0; heads + 1]];
    for used in 1..clusters {
        let mut next = vec![f64::INFINITY; heads + 1];
        let mut start_of = vec![0; heads + 1];
        for end in used + 1..=heads {
            for start in used..end {
                let total = cost[start] + squared_spread(&sorted[start..end]);
                if total < next[end] {
                    (next[end], start_of[end]) = (total, start);
                }
            }
        }
        cost = next;
        starts.push(start_of);
    }
    let mut groups = Vec::with_capacity(clusters);
    let mut end = heads;
    for start_of in starts.iter().rev() {
        let start = start_of[end];
        let mut members = order[start..end].to_vec();
        members.sort_unstable();
        groups.push(members);
        end = start;
    }
    groups.retain(|members| !members.is_empty());
    groups
}

fn squared_spread(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    values.iter().map(|value| (value - mean).powi(2)).sum()
}

/// Ties of distances to the mean are broken within this tolerance, px.
const TIE: f64 = 1e-3;

/// The head that stands for a cluster: the member whose distance is nearest to the cluster's mean, the lowest index of
/// those that are equally near (every cluster of two is a tie).
pub fn centroid(distance: &[f32], members: &[usize]) -> usize {
    let mean = members.iter().map(|&head| f64::from(distance[head])).sum::<f64>() / members.len() as f64;
    let offset = |head: usize| (f64::from(distance[head]) - mean).abs();
    let nearest = members.iter().map(|&head| offset(head)).fold(f64::INFINITY, f64::min);
    members.iter().copied().filter(|&head| offset(head) <= nearest + TIE).min().unwrap_or(members[0])
}
